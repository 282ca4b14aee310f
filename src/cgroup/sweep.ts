import { mkdir, readdir, rmdir } from 'node:fs/promises';
import { cgroupRoot, listHierarchies, unifiedName } from './hierarchies.ts';

/** Where it is not known in which hierarchies the scheduler keeps its jobs: those in which any may. */
const schedulersUsual: readonly string[] = [
  'freezer',
  'cpuset',
  'memory',
  'devices',
  'cpuacct',
  'cpu,cpuacct',
  unifiedName,
];

/** Names as systemd writes them: a `-` in the name of a slice that is none is `\x2d`. */
const plainPath = /^(?:\/[A-Za-z0-9_.:@\\-]+)+$/;

/** A path of ours, and none that leads elsewhere. */
function isPlain(path: string): boolean {
  return plainPath.test(path) && !path.split('/').includes('..');
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
  for (const { name, directory } of await listHierarchies(root))
    if (!schedulers.includes(name)) await removeUpwards(directory, path);
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

/**
 * Takes away a job's cgroup, which the scheduler has tried to remove while a container was still in it: it does not try
 * again. Removes in every hierarchy what is empty at or below `jobPath`, and nothing above it. Call it only when the job
 * is over: a scheduler may be about to use a cgroup that is empty. Never fails.
 */
export async function removeJobCgroups(jobPath: string, root = cgroupRoot): Promise<void> {
  if (!isPlain(jobPath)) return;
  for (const { directory } of await listHierarchies(root)) await removeEmptyTree(`${directory}${jobPath}`);
}

/** Users may make cgroups of their own below a task's: a tree that is larger than this is left. */
const bounds = { depth: 24, cgroups: 10_000 };

/** Removes a directory of cgroups, the deepest first, as far as they are empty: the kernel refuses all others. */
export async function removeEmptyTree(directory: string): Promise<void> {
  let seen = 0;
  const remove = async (current: string, depth: number): Promise<void> => {
    const entries = await readdir(current, { withFileTypes: true }).catch(() => []);
    for (const { name } of entries.filter((entry) => entry.isDirectory())) {
      seen += 1;
      if (depth < bounds.depth && seen < bounds.cgroups) await remove(`${current}/${name}`, depth + 1);
    }
    await rmdir(current).catch(() => undefined);
  };
  await remove(directory, 0);
}

const tries = 5;

/**
 * Makes the parent where the scheduler has none, before Docker does: another job of the same user that ends just now takes
 * away the directory above when it is empty, and Docker would fail between the two that it makes. Never fails.
 */
export async function holdParent(path: string, schedulers: readonly string[], root = cgroupRoot): Promise<void> {
  if (!isPlain(path)) return;
  for (const { name, directory } of await listHierarchies(root)) {
    if (schedulers.includes(name)) continue;
    for (let left = tries; left > 0; left -= 1) {
      const error: unknown = await mkdir(`${directory}${path}`, { recursive: true }).then(
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
