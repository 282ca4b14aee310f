import { readFile, realpath } from 'node:fs/promises';
import { findMount, parseMountTable } from '../system/mount-table.ts';

export type MountPropagation = 'rslave' | 'rprivate';

/**
 * How mounts made later below `source` come into the container. `rslave` lets automounted file systems appear, but the
 * engine refuses it for a source on a private mount.
 */
export async function chooseMountPropagation(source: string): Promise<MountPropagation> {
  const mountinfo = await readFile('/proc/self/mountinfo', 'utf8');
  // A missing source is the engine's to refuse, in its own words.
  const path = await realpath(source).catch(() => source);
  return propagationOf(mountinfo, path);
}

/** The propagation that fits the mount on which `path` lies, out of the text of /proc/self/mountinfo. */
export function propagationOf(mountinfo: string, path: string): MountPropagation {
  return findMount(path, parseMountTable(mountinfo))?.propagates === true ? 'rslave' : 'rprivate';
}
