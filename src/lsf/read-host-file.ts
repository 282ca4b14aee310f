import type { AllocatedHost } from '../ports/scheduler.ts';
import { readSmallFile, unreadableFile } from '../system/read-small-file.ts';

/**
 * The file of `LSB_DJOB_HOSTFILE`: one line for each slot, or with a number of slots behind the name. Fails with
 * `ALLOCATION_INVALID`.
 */
export function readHostFile(path: string): readonly AllocatedHost[] {
  return readSmallFile('LSB_DJOB_HOSTFILE', path)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name, count] = /^(\S+)(?:\s+([1-9][0-9]{0,4}))?$/.exec(line) ?? [];
      if (name === undefined)
        throw unreadableFile('LSB_DJOB_HOSTFILE', path, `it holds the line "${line.slice(0, 80)}"`);
      return { name, slots: Number(count ?? 1) };
    });
}
