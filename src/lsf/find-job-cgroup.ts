import type { JobCgroup } from '../ports/scheduler.ts';

/**
 * LSF_LINUX_CGROUP_ACCT=Y makes `/lsf/<cluster>/job.<id>.<pid>.<time>` in the controllers that it uses, of an array's
 * element with `[<index>]` behind the id; root's alone, so no user can be in a cgroup of this name by himself.
 */
const pattern = /^(\/lsf\/[A-Za-z0-9_.-]+\/job\.([1-9]\d{0,17}(?:\[[1-9]\d{0,8}\])?)\.\d{1,19}\.\d{1,19})(?:\/|$)/;

/**
 * The job whose cgroup a process is in, out of its /proc/<pid>/cgroup; undefined when it is in none. Controllers that
 * LSF does not manage may be elsewhere; those that it manages must agree, or the answer is undefined.
 */
export function findJobCgroup(procCgroupText: string): JobCgroup | undefined {
  const found = procCgroupText
    .split('\n')
    .map(readLine)
    .filter((cgroup) => cgroup !== undefined);
  const [first] = found;
  return found.every(({ path }) => path === first?.path) ? first : undefined;
}

function readLine(line: string): JobCgroup | undefined {
  const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
  const [controllers, path] = [match?.[1], match?.[2]];
  // Named hierarchies hold no controller: systemd lets users make cgroups of any name in its own.
  if (controllers === undefined || path === undefined || controllers.startsWith('name=')) return undefined;
  const job = pattern.exec(path);
  return job?.[1] === undefined || job[2] === undefined ? undefined : { path: job[1], schedulerJobId: job[2] };
}
