import { mkdir, rmdir } from 'node:fs/promises';
import { cgroupRoot, listHierarchies } from './hierarchies.ts';

/** Where it is not known in which hierarchies the scheduler keeps its jobs: those in which any may. */
const schedulersUsual: readonly string[] = [
  'freezer',
  'cpuset',
  'memory',
  'devices',
  'cpuacct',
  'cpu,cpuacct',
  'unified',
];

const plainPath = /^(?:\/[A-Za-z0-9_.-]+)+$/;

/** A path of ours, and none that leads elsewhere. */
function isPlain(path: string): boolean {
  return plainPath.test(path) && !path.includes('..');
}

/**
 * Docker makes the parent of a container in every hierarchy, also where the scheduler has no cgroup of the job: those
 * directories are ours to remove. Removes upwards what is empty; those of `schedulers` are left to the scheduler, which may
 * be about to use one that is empty.
 */
export async function removeEmptyCgroups(
  path: string,
  schedulers: readonly string[] = schedulersUsual,
  root = cgroupRoot,
): Promise<void> {
  if (!isPlain(path)) return;
  for (const hierarchy of await listHierarchies(root))
    if (!schedulers.includes(hierarchy)) await removeUpwards(`${root}/${hierarchy}`, path);
}

/** Removes the directory at `path` below `hierarchy`, and those above it, as far as they are empty. */
export async function removeUpwards(hierarchy: string, path: string): Promise<void> {
  for (let current = path; current !== ''; current = current.slice(0, current.lastIndexOf('/'))) {
    const isGone = await rmdir(`${hierarchy}${current}`).then(
      () => true,
      (error: unknown) => isMissing(error),
    );
    if (!isGone) return;
  }
}

const tries = 5;

/**
 * Makes the parent where the scheduler has none, before Docker does: another job of the same user that ends just now takes
 * away the directory above when it is empty, and Docker would fail between the two that it makes. Never fails.
 */
export async function holdParent(path: string, schedulers: readonly string[], root = cgroupRoot): Promise<void> {
  if (!isPlain(path)) return;
  for (const hierarchy of await listHierarchies(root)) {
    if (schedulers.includes(hierarchy)) continue;
    for (let left = tries; left > 0; left -= 1) {
      const error: unknown = await mkdir(`${root}/${hierarchy}${path}`, { recursive: true }).then(
        () => undefined,
        (failure: unknown) => failure,
      );
      if (!isMissing(error)) break;
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
