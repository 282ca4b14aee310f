import type { SiteConfig } from '../../config/site-schema.ts';
import type { Check } from '../../contract/finding.ts';
import { fine, warning } from '../../contract/finding.ts';
import { findDeviceNodes } from '../../config/find-device-nodes.ts';
import { everyIndexPath } from '../../config/indexed-devices.ts';

/** Which of the site's devices this host has. */
export function checkDevices({ devices }: SiteConfig): Check {
  return {
    name: 'devices',
    look: async () => {
      const kinds = await Promise.all(
        devices.allowed.map(async ({ name, nodes, always }) => ({
          ...{ name, always },
          found: await findDeviceNodes(nodes.map(everyIndexPath)),
        })),
      );
      const words = kinds.map(({ name, found }) => `${name}: ${found.join(' ') || 'none here'}`).join('; ');
      // What every job gets where it is there need not be there.
      const isAbsent = kinds.some(({ found, always }) => found.length === 0 && !always);
      return isAbsent
        ? warning(`${words}.`, 'Jobs that ask for what is not here are refused on this host (HOST_UNFIT).')
        : fine(words);
    },
  };
}
