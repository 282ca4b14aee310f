import { findAgreedCgroup } from '../confirmation/find-agreed-cgroup.ts';
import type { JobCgroup } from '../ports/scheduler.ts';

/** cgroup v1, every controller: `/slurm/uid_2001/job_12/step_0/task_0`, with `slurm_<node>` where slurmd was built for several nodes. */
const v1Pattern = /^(\/slurm(?:_[A-Za-z0-9._-]+)?\/uid_(0|[1-9]\d{0,9})\/job_([1-9]\d{0,17}))(?:\/|$)/;

/**
 * cgroup v2: `/system.slice/slurmstepd.scope/job_12/step_0/user/task_0`, before `slurmstepd` the name of a node where slurmd
 * was built for several. Of Slurm 26.05 the job's directory is its SLUID.
 */
const scopePattern = /^(?:[A-Za-z0-9._-]+_)?slurmstepd\.scope$/;
const jobPattern = /^(?:job_([1-9]\d{0,17})|(s[0-9A-Z]{13}))$/;

/** A container in which slurmd runs with the host's own view of cgroups, as engines name it: by 64 hexadecimal digits. */
const containerPattern = /^(?:docker|libpod|crio|cri-containerd)-[0-9a-f]{64}\.scope$/;
const containerId = /^[0-9a-f]{64}$/;
const slicePattern = /^([A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*)\.slice$/;

/** The job of Slurm whose cgroup a process is in, out of its /proc/<pid>/cgroup; undefined when it is in none. */
export function findJobCgroup(procCgroupText: string): JobCgroup | undefined {
  return findAgreedCgroup(procCgroupText, ({ isUnified, path }) => (isUnified ? readUnified(path) : readV1(path)));
}

function readV1(path: string): JobCgroup | undefined {
  const job = v1Pattern.exec(path);
  if (job?.[1] === undefined || job[3] === undefined) return undefined;
  return { path: job[1], uid: Number(job[2]), schedulerJobId: job[3] };
}

/**
 * The first scope of the path counts, and what stands before it must be root's to make: slices outside of `user.slice`,
 * and containers. What users are given to make cgroups in lies below a service (`user@2001.service`), or below a task of
 * their own job.
 */
function readUnified(path: string): JobCgroup | undefined {
  const names = path.split('/').slice(1);
  const scope = names.findIndex((name) => scopePattern.test(name));
  const [, id, sluid] = jobPattern.exec(names[scope + 1] ?? '') ?? [];
  if (scope < 1 || !isRoots(names.slice(0, scope))) return undefined;
  const job = `/${names.slice(0, scope + 2).join('/')}`;
  if (id !== undefined) return { path: job, schedulerJobId: id };
  return sluid === undefined ? undefined : { path: job, schedulerJobId: undefined, sluid };
}

function isRoots(names: readonly string[]): boolean {
  let parent = '';
  for (const [at, name] of names.entries()) {
    const isContainer = containerPattern.test(name) || (containerId.test(name) && names[at - 1] === 'docker');
    const [, slice] = slicePattern.exec(name) ?? [];
    if (isContainer || (name === 'docker' && parent === '' && containerId.test(names[at + 1] ?? ''))) {
      parent = ''; // within it slices begin anew
      continue;
    }
    // A slice's own name says in which it is: `a-b.slice` in `a.slice`.
    if (slice === undefined || slice === 'user' || !isSliceWithin(slice, parent)) return false;
    parent = slice;
  }
  return parent !== '';
}

function isSliceWithin(slice: string, parent: string): boolean {
  if (parent === '') return !slice.includes('-');
  return slice.startsWith(`${parent}-`) && !slice.slice(parent.length + 1).includes('-');
}
