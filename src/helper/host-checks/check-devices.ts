import type { SiteConfig } from '../../config/site-schema.ts';
import type { Check } from '../../contract/finding.ts';
import { fine, warning } from '../../contract/finding.ts';
import { findDeviceNodes } from '../../config/find-device-nodes.ts';

/** Which of the site's devices this host has. */
export function checkDevices({ devices }: SiteConfig): Check {
  return {
    name: 'devices',
    look: async () => {
      const kinds = await Promise.all(
        devices.allowed.map(async ({ name, nodes }) => ({
          name,
          found: await findDeviceNodes(nodes.map((node) => node.replaceAll(/\{index[^}]*\}/g, '*'))),
        })),
      );
      const words = kinds.map(({ name, found }) => `${name}: ${found.join(' ') || 'none here'}`).join('; ');
      const isAbsent = kinds.some(({ found }) => found.length === 0);
      return isAbsent
        ? warning(`${words}.`, 'Jobs that ask for what is not here are refused on this host (HOST_UNFIT).')
        : fine(words);
    },
  };
}
