import type { AllocatedHost } from '../ports/scheduler.ts';
import { readSmallFile, unreadableFile } from '../system/read-small-file.ts';

/**
 * The file of `PE_HOSTFILE` (sge_pe(5)): `host slots queue processors` on each line, a line for each queue of a host. Fails with `ALLOCATION_INVALID`.
 */
export function readPeHostfile(path: string): readonly AllocatedHost[] {
  return readSmallFile('PE_HOSTFILE', path)
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [name = '', slots = ''] = line.trim().split(/\s+/);
      if (!/^[1-9][0-9]{0,4}$/.test(slots))
        throw unreadableFile('PE_HOSTFILE', path, `it holds the line "${line.slice(0, 80)}"`);
      return { name, slots: Number(slots) };
    });
}
