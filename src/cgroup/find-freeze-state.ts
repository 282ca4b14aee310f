import { access } from 'node:fs/promises';
import { cgroupRoot, placesOf } from './hierarchies.ts';
import { readCgroupsOf } from './read-kernel-file.ts';

/**
 * The file in which the kernel says whether a process's cgroup is frozen: `freezer.state` of cgroup v1, `cgroup.events` of
 * v2. Undefined when the process has ended, or the host has neither. Never fails.
 */
export async function findFreezeState(pid: number, root = cgroupRoot): Promise<string | undefined> {
  for (const { directory, isUnified } of await placesOf(await readCgroupsOf(pid), 'freezer', root)) {
    const file = `${directory}/${isUnified ? 'cgroup.events' : 'freezer.state'}`;
    if (await access(file).then(isThere, isMissing)) return file;
  }
  return undefined;
}

const isThere = (): boolean => true;
const isMissing = (): boolean => false;
