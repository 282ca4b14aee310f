import { readdir } from 'node:fs/promises';

export const cgroupRoot = '/sys/fs/cgroup';

/**
 * Names of the mounted hierarchies of cgroup v1, and of the unified one beside them, as directories of `root`; none where
 * cgroup v2 stands alone. Links are left out: `cpu` often leads to `cpu,cpuacct`.
 */
export async function listHierarchies(root = cgroupRoot): Promise<readonly string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
  if (entries.some(({ name }) => name === 'cgroup.controllers')) return [];
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

export interface CgroupPlace {
  /** As /proc/PID/cgroup tells them; empty for the unified hierarchy. */
  readonly controllers: string;
  readonly path: string;
}

/** Out of the text of /proc/PID/cgroup. */
export function parseCgroups(text: string): readonly CgroupPlace[] {
  return text
    .split('\n')
    .map((line) => /^\d+:([^:]*):(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map((match) => ({ controllers: match[1] ?? '', path: match[2] ?? '' }));
}

/** The directory of that hierarchy below the root. */
function directoryOf({ controllers }: CgroupPlace): string {
  return controllers === '' ? 'unified' : controllers.replace(/^name=/, '');
}

/** The hierarchies in which a process is in this cgroup, or below it: of a job's process, those that its scheduler uses. */
export function hierarchiesBelow(procCgroupText: string, path: string): readonly string[] {
  return parseCgroups(procCgroupText)
    .filter((place) => place.path === path || place.path.startsWith(`${path}/`))
    .map(directoryOf);
}
