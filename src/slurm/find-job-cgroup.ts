import { findAgreedCgroup } from '../confirmation/find-agreed-cgroup.ts';
import type { JobCgroup } from '../ports/scheduler.ts';

/** cgroup v1, every controller: `/slurm/uid_2001/job_12/step_0/task_0`, with `slurm_<node>` where slurmd was built for several nodes. */
const v1Pattern = /^(\/slurm(?:_[A-Za-z0-9._-]+)?\/uid_(0|[1-9]\d{0,9})\/job_([1-9]\d{0,17}))(?:\/|$)/;

/** cgroup v2: `/system.slice/slurmstepd.scope/job_12/step_0/user/task_0`; a node's name stands before `slurmstepd` as above. */
const v2Pattern = /^(\/system\.slice\/(?:[A-Za-z0-9._-]+_)?slurmstepd\.scope\/job_([1-9]\d{0,17}))(?:\/|$)/;

/** The job of Slurm whose cgroup a process is in, out of its /proc/<pid>/cgroup; undefined when it is in none. */
export function findJobCgroup(procCgroupText: string): JobCgroup | undefined {
  return findAgreedCgroup(procCgroupText, ({ isUnified, path }) => (isUnified ? readUnified(path) : readV1(path)));
}

function readV1(path: string): JobCgroup | undefined {
  const job = v1Pattern.exec(path);
  if (job?.[1] === undefined || job[3] === undefined) return undefined;
  return { path: job[1], uid: Number(job[2]), schedulerJobId: job[3] };
}

function readUnified(path: string): JobCgroup | undefined {
  const job = v2Pattern.exec(path);
  return job?.[1] === undefined || job[2] === undefined ? undefined : { path: job[1], schedulerJobId: job[2] };
}
