import type { JobCgroup } from '../ports/scheduler.ts';

/** cgroup v1, every controller: `/slurm/uid_2001/job_12/step_0/task_0`, with `slurm_<node>` where slurmd was built for several nodes. */
const v1Pattern = /^(\/slurm(?:_[A-Za-z0-9._-]+)?\/uid_(0|[1-9]\d{0,9})\/job_([1-9]\d{0,17}))(?:\/|$)/;

/** cgroup v2: `/system.slice/slurmstepd.scope/job_12/step_0/user/task_0`; a node's name stands before `slurmstepd` as above. */
const v2Pattern = /^(\/system\.slice\/(?:[A-Za-z0-9._-]+_)?slurmstepd\.scope\/job_([1-9]\d{0,17}))(?:\/|$)/;

/**
 * The job whose cgroup a process is in, out of its /proc/<pid>/cgroup; undefined when it is in none.
 * Controllers that Slurm does not manage may be elsewhere; those that it manages must agree, or the answer is undefined.
 */
export function findJobCgroup(procCgroupText: string): JobCgroup | undefined {
  const found = procCgroupText
    .split('\n')
    .map(readLine)
    .filter((cgroup) => cgroup !== undefined);
  const [first] = found;
  return found.every(({ path }) => path === first?.path) ? first : undefined;
}

/** `<hierarchy>:<controllers>:<path>`; the unified hierarchy has the number 0 and no controllers. */
function readLine(line: string): JobCgroup | undefined {
  const match = /^(\d+):([^:]*):(\/.*)$/.exec(line);
  const [hierarchy, controllers, path] = [match?.[1], match?.[2], match?.[3]];
  if (hierarchy === undefined || controllers === undefined || path === undefined) return undefined;
  if (hierarchy === '0' && controllers === '') return readUnified(path);
  // Named hierarchies hold no controller: systemd lets users make cgroups of any name in its own.
  if (controllers.startsWith('name=')) return undefined;
  const job = v1Pattern.exec(path);
  if (job?.[1] === undefined || job[3] === undefined) return undefined;
  return { path: job[1], uid: Number(job[2]), schedulerJobId: job[3] };
}

function readUnified(path: string): JobCgroup | undefined {
  const job = v2Pattern.exec(path);
  return job?.[1] === undefined || job[2] === undefined ? undefined : { path: job[1], schedulerJobId: job[2] };
}
