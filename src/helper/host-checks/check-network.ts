import type { SiteConfig } from '../../config/site-schema.ts';
import type { HostCommands } from '../../network/host-commands.ts';
import { tryJobNetwork } from '../../network/try-job-network.ts';
import type { Check } from '../../contract/finding.ts';
import { fine } from '../../contract/finding.ts';

/** The kernel and the host's programs can make what networks of jobs are made of. Leaves nothing. */
export function checkNetwork(commands: HostCommands, { network }: SiteConfig): Check {
  return {
    name: 'network',
    look: async () => {
      await tryJobNetwork(commands, network.vxlan.port);
      return fine('VXLAN links, bridges and packet filters can be made');
    },
  };
}
