import { readFile } from 'node:fs/promises';
import { JobError } from '../../values/errors.ts';
import type { Check } from '../../contract/finding.ts';
import { fine } from '../../contract/finding.ts';
import { overlapsCidr } from '../../values/subnet.ts';

/** A network that this host knows a way to. */
export interface HostRoute {
  readonly device: string;
  readonly cidr: string;
}

/** The addresses of job networks lead nowhere else on this host: a job would hide what lies there. */
export function checkSubnetPool(pool: string, readRoutes: () => Promise<string> = readOwnRoutes): Check {
  return {
    name: 'subnet-pool',
    look: async () => {
      const overlaps = parseRoutes(await readRoutes()).filter(({ cidr }) => overlapsCidr(cidr, pool));
      if (overlaps.length === 0) return fine(`${pool} is used by nobody on this host`);
      throw new JobError({
        code: 'CONFIG_INVALID',
        message: `network.pool ${pool} overlaps networks of this host: ${overlaps.map(({ cidr, device }) => `${cidr} (${device})`).join(', ')}.`,
        hint: 'Choose addresses for network.pool that the site does not use, the same in every site.yaml.',
      });
    },
  };
}

/** The text of /proc/net/route; the default route leads everywhere and is left out. */
export function parseRoutes(table: string): readonly HostRoute[] {
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/))
    .flatMap(([device = '', destination = '', , , , , , mask = '']) => {
      const prefixLength = countBits(Number.parseInt(mask, 16));
      if (!/^[0-9A-F]{8}$/.test(destination) || prefixLength === 0) return [];
      return [{ device, cidr: `${toAddress(destination)}/${prefixLength}` }];
    });
}

function countBits(mask: number): number {
  return Number.isNaN(mask) ? 0 : mask.toString(2).replaceAll('0', '').length;
}

/** The kernel prints the address as a number of this machine, which is little-endian on both that we know. */
function toAddress(digits: string): string {
  return [6, 4, 2, 0].map((at) => Number.parseInt(digits.slice(at, at + 2), 16)).join('.');
}

async function readOwnRoutes(): Promise<string> {
  return await readFile('/proc/net/route', 'utf8');
}
