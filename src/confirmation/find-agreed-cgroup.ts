import type { JobCgroup } from '../ports/scheduler.ts';

/** One hierarchy of cgroups, and where in it a process is. */
export interface CgroupLine {
  /** True for the hierarchy of cgroup v2. */
  readonly isUnified: boolean;
  readonly path: string;
}

/**
 * The job whose cgroup a process is in, out of its /proc/<pid>/cgroup; undefined when it is in none. Hierarchies that the
 * scheduler does not manage may be elsewhere; those in which `readJob` finds a job must agree, or the answer is undefined.
 */
export function findAgreedCgroup(
  procCgroupText: string,
  readJob: (line: CgroupLine) => JobCgroup | undefined,
): JobCgroup | undefined {
  const found = procCgroupText
    .split('\n')
    .map(parseLine)
    .filter((line) => line !== undefined)
    .map(readJob)
    .filter((cgroup) => cgroup !== undefined);
  const [first] = found;
  return found.every(({ path }) => path === first?.path) ? first : undefined;
}

/** `<hierarchy>:<controllers>:<path>`; the unified hierarchy has the number 0 and no controllers. */
function parseLine(line: string): CgroupLine | undefined {
  const match = /^(\d+):([^:]*):(\/.*)$/.exec(line);
  const [hierarchy, controllers, path] = [match?.[1], match?.[2], match?.[3]];
  if (controllers === undefined || path === undefined) return undefined;
  // Named hierarchies hold no controller: systemd lets users make cgroups of any name in its own.
  if (controllers.startsWith('name=')) return undefined;
  // What lies outside of this process's own view of the cgroups is shown so, and is nobody's proof.
  if (path.split('/').includes('..')) return undefined;
  return { isUnified: hierarchy === '0' && controllers === '', path };
}
