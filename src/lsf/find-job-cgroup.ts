import { findAgreedCgroup } from '../confirmation/find-agreed-cgroup.ts';
import type { JobCgroup } from '../ports/scheduler.ts';

/**
 * LSF_LINUX_CGROUP_ACCT=Y makes `/lsf/<cluster>/job.<id>.<pid>.<time>` in the controllers that it uses, of an array's
 * element with `[<index>]` behind the id; root's alone, so no user can be in a cgroup of this name by himself.
 */
const pattern = /^(\/lsf\/[A-Za-z0-9_.-]+\/job\.([1-9]\d{0,17}(?:\[[1-9]\d{0,8}\])?)\.\d{1,19}\.\d{1,19})(?:\/|$)/;

/** The job of LSF whose cgroup a process is in, out of its /proc/<pid>/cgroup; undefined when it is in none. */
export function findJobCgroup(procCgroupText: string): JobCgroup | undefined {
  return findAgreedCgroup(procCgroupText, ({ path }) => {
    const job = pattern.exec(path);
    return job?.[1] === undefined || job[2] === undefined ? undefined : { path: job[1], schedulerJobId: job[2] };
  });
}
