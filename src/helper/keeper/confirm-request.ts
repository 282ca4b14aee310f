import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { ConfirmedJob, SchedulerAuthority } from '../../ports/scheduler.ts';
import { asJobError, JobError } from '../../values/errors.ts';
import type { JobRequest } from '../../contract/job-request.ts';
import { findOwnHost } from '../host/find-own-node.ts';
import type { HelperContext } from '../open-context.ts';

/** What `decide` makes of the request by the site's policy; a refusal is audited and thrown. */
export function auditRefusal<T>(context: HelperContext, request: JobRequest, decide: () => T): T {
  try {
    return decide();
  } catch (thrown) {
    const { code, rule, message } = asJobError(thrown);
    context.audit.record('request-refused', { job: request.job, code, rule, message });
    throw thrown;
  }
}

/** The scheduler must confirm job, owner and hosts: the environment from which the request was made is forgeable. */
export async function confirmRequest(
  context: HelperContext,
  authority: SchedulerAuthority,
  request: JobRequest,
  uid: number,
): Promise<ConfirmedJob> {
  const confirmed = await authority.confirmJob(request.schedulerJobId, uid).catch(async (thrown: unknown) => {
    const { code, message } = asJobError(thrown);
    if (code === 'JOB_NOT_YOURS' && (await hasEndedAroundUs(authority, request, uid))) throw jobOver(request);
    if (code === 'JOB_NOT_YOURS') context.audit.record('request-forged', { job: request.job, problem: message });
    throw thrown;
  });
  const problem =
    confirmed.uid !== uid
      ? 'is not yours'
      : confirmed.job !== request.job
        ? `is called ${confirmed.job} by the scheduler, not ${request.job}`
        : !isSameSet(
              confirmed.hosts,
              request.hosts.map(({ name }) => name),
            )
          ? `has the hosts ${confirmed.hosts.slice(0, 8).join(', ')}, not those that the job's environment names`
          : undefined;
  if (problem === undefined) return confirmed;
  context.audit.record('request-forged', { job: request.job, problem });
  throw new JobError({
    code: 'JOB_NOT_YOURS',
    message: `Job ${request.job} ${problem}.`,
    hint: hasFewerHosts(confirmed, request)
      ? 'Do not change the variables of the scheduler. If you have not, a host of the job is down (sbatch --no-kill): submit the job again.'
      : 'Leave the variables of the scheduler as they are.',
  });
}

/**
 * Fails with `JOB_NOT_YOURS` on a host that the job has not. Where no cgroup shows from within which job a call comes, users
 * could otherwise have their jobs kept, by processes of root's, on any host of the cluster.
 */
export function requireHostOfJob(
  context: Pick<HelperContext, 'audit'>,
  { job, hosts }: Pick<JobRequest, 'job' | 'hosts'>,
  addresses: readonly (string | undefined)[],
): void {
  const named = hosts.map(({ name }, index) => ({ host: name, hostAddress: addresses[index] }));
  if (findOwnHost(named) !== undefined) return;
  const problem = `host ${hostname()} is not one of its hosts`;
  context.audit.record('request-forged', { job, problem });
  throw new JobError({
    code: 'JOB_NOT_YOURS',
    message: `Job ${job} cannot be opened here: ${problem}.`,
    hint: 'Call hpc-submit-dockerjob on the first host of the job, in its batch script.',
  });
}

function hasFewerHosts(confirmed: ConfirmedJob, { hosts }: JobRequest): boolean {
  return (
    confirmed.hosts.length < hosts.length && confirmed.hosts.every((name) => hosts.some((host) => host.name === name))
  );
}

/** True when this very process is in that job by the kernel's word, while the scheduler knows it no more: it was cancelled. */
async function hasEndedAroundUs(
  authority: SchedulerAuthority,
  { schedulerJobId }: JobRequest,
  uid: number,
): Promise<boolean> {
  const cgroup = authority.findJobCgroup(await readFile('/proc/self/cgroup', 'utf8'));
  const isInside = cgroup?.schedulerJobId === schedulerJobId && (cgroup.uid === undefined || cgroup.uid === uid);
  return isInside && (await authority.isOver(schedulerJobId).catch(() => false));
}

function jobOver({ job }: JobRequest): JobError {
  return new JobError({
    code: 'TERMINATED',
    message: `Job ${job} was cancelled, or has ended, while it was being opened: the scheduler says that it is over.`,
  });
}

function isSameSet(left: readonly string[], right: readonly string[]): boolean {
  const set = new Set(left);
  return set.size === right.length && new Set(right).size === right.length && right.every((name) => set.has(name));
}
