import { readdir } from 'node:fs/promises';

export const cgroupRoot = '/sys/fs/cgroup';

/** The hierarchy of cgroup v2, alone or beside those of v1. */
export const unifiedName = 'unified';

/** A mounted hierarchy of cgroups. */
export interface Hierarchy {
  /** Of cgroup v1 its controllers, as its directory is called. */
  readonly name: string;
  readonly directory: string;
}

/**
 * The hierarchies below `root`: on a host with cgroup v2 alone the root itself; else those of v1, and the unified one where
 * it is mounted beside them. Links are left out: `cpu` often leads to `cpu,cpuacct`.
 */
export async function listHierarchies(root = cgroupRoot): Promise<readonly Hierarchy[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
  if (entries.some(({ name }) => name === 'cgroup.controllers')) return [{ name: unifiedName, directory: root }];
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => ({ name, directory: `${root}/${name}` }));
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

/** The name of that hierarchy. */
function nameOf({ controllers }: CgroupPlace): string {
  return controllers === '' ? unifiedName : controllers.replace(/^name=/, '');
}

/** The hierarchies in which a process is in this cgroup, or below it: of a job's process, those that its scheduler uses. */
export function hierarchiesBelow(procCgroupText: string, path: string): readonly string[] {
  return parseCgroups(procCgroupText)
    .filter((place) => place.path === path || place.path.startsWith(`${path}/`))
    .map(nameOf);
}
