import { readdir, rmdir } from 'node:fs/promises';

/** Controllers in which schedulers make and remove the job's cgroups themselves. */
const schedulersOwn = new Set(['freezer', 'cpuset', 'memory', 'devices', 'cpuacct', 'cpu,cpuacct', 'unified']);

/**
 * Docker makes the parent in every cgroup v1 controller, also where the scheduler has none: those empty directories
 * are ours to remove. Removes upwards as far as directories are empty; anything else stays.
 */
export async function removeEmptyCgroups(path: string): Promise<void> {
  if (!/^(?:\/[A-Za-z0-9_.-]+)+$/.test(path) || path.includes('..')) return;
  const controllers = await readdir('/sys/fs/cgroup').catch(() => []);
  for (const controller of controllers) {
    if (schedulersOwn.has(controller)) continue;
    for (let current = path; current !== ''; current = current.slice(0, current.lastIndexOf('/'))) {
      const isGone = await rmdir(`/sys/fs/cgroup/${controller}${current}`).then(
        () => true,
        (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ENOENT',
      );
      if (!isGone) break;
    }
  }
}
