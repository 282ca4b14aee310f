import type { SiteConfig } from '../../config/site-schema.ts';
import type { HostCommands } from '../../ports/host-commands.ts';
import { tryNetworks } from '../../network/known-networks.ts';
import type { Check } from '../../contract/finding.ts';
import { fine } from '../../contract/finding.ts';

/** The kernel and the host's programs can make what networks of jobs are made of. Leaves nothing. */
export function checkNetwork(commands: HostCommands, { network }: SiteConfig): Check {
  return {
    name: 'network',
    look: async () => {
      return fine(`${await tryNetworks(commands, network)} can be made`);
    },
  };
}
