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

/** A hierarchy that may have a controller. */
export interface ControllerHierarchy {
  readonly directory: string;
  /** Cgroup v2: its files have other names, and which controllers it has differs from cgroup to cgroup. */
  readonly isUnified: boolean;
}

/** The hierarchies that may have a controller: that of cgroup v1 where it is mounted, then the unified one. */
export async function hierarchiesOf(controller: string, root = cgroupRoot): Promise<readonly ControllerHierarchy[]> {
  const isUnified = ({ name }: Hierarchy): boolean => name === unifiedName;
  const hierarchies = await listHierarchies(root);
  return [
    ...hierarchies.filter(({ name }) => name.split(',').includes(controller)),
    ...hierarchies.filter(isUnified),
  ].map((hierarchy) => ({ directory: hierarchy.directory, isUnified: isUnified(hierarchy) }));
}

/** Where the files of a process's cgroup are. */
export interface ControllerPlace extends ControllerHierarchy {
  /** The root of its hierarchy. */
  readonly top: string;
}

/** Where the text of /proc/PID/cgroup says that the files of a controller may be: as `hierarchiesOf` orders them. */
export async function placesOf(
  procCgroupText: string,
  controller: string,
  root = cgroupRoot,
): Promise<readonly ControllerPlace[]> {
  const cgroups = parseCgroups(procCgroupText);
  return (await hierarchiesOf(controller, root)).flatMap(({ directory: top, isUnified }) =>
    cgroups
      .filter(({ controllers }) => (isUnified ? controllers === '' : controllers.split(',').includes(controller)))
      .map(({ path }) => ({ top, directory: `${top}${path}`, isUnified })),
  );
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
    .filter((place) => isAtOrBelow(place, path))
    .map(nameOf);
}

/** True for a place in the cgroup at `path`, or in one below it. */
export function isAtOrBelow(place: CgroupPlace, path: string): boolean {
  return place.path === path || place.path.startsWith(`${path}/`);
}
