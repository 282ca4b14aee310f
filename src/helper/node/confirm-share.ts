import { cpus } from 'node:os';
import type { SiteConfig } from '../../config/site-schema.ts';
import type { ContainerSpec } from '../../ports/container-engine.ts';
import type { SchedulerAuthority } from '../../ports/scheduler.ts';
import { JobError } from '../../values/errors.ts';
import type { JobPlan, PlannedNode } from '../../contract/job-plan.ts';
import { confirmPlanned } from './confirm-planned.ts';

/** What of a host belongs to a job, by the scheduler's word. */
export interface HostShare {
  /** Undefined where the scheduler does not tell it. */
  readonly slots: number | undefined;
  readonly memoryPerSlotBytes?: number | undefined;
  /** What the job has only asked for: it lowers what the site gives, and raises nothing. */
  readonly askedMemoryPerSlotBytes?: number | undefined;
  /** Of the whole job on this host, where the scheduler tells that. */
  readonly memoryBytes?: number | undefined;
}

export type ShareLimits = Pick<ContainerSpec, 'cpus' | 'memoryBytes' | 'sharedMemoryBytes' | 'cpuset'>;

/**
 * Asks the scheduler, as root and on the very host, whether the job runs there now and belongs to the plan's user. It
 * stands in for the kernel's word where the scheduler has no cgroups. Fails as `confirmPlanned` does.
 */
export async function confirmShare(
  authority: SchedulerAuthority,
  plan: JobPlan,
  { host }: PlannedNode,
): Promise<HostShare> {
  const confirmed = await confirmPlanned(authority, plan);
  const isThatJob = confirmed.job === plan.job && confirmed.uid === plan.user.uid;
  if (isThatJob && confirmed.hosts.includes(host)) {
    const { slots, memoryPerSlotBytes, askedMemoryPerSlotBytes } = confirmed;
    if (authority.readShare === undefined)
      return { slots: slots?.get(host), memoryPerSlotBytes, askedMemoryPerSlotBytes };
    const share = await authority.readShare(plan.schedulerJobId, host);
    if (share === undefined) throw untoldShare(plan, host);
    return { slots: share.cpus, memoryBytes: share.memoryBytes };
  }
  throw new JobError({
    code: 'JOB_NOT_YOURS',
    message: isThatJob
      ? `The scheduler does not say that job ${plan.job} runs on host ${host}.`
      : `The scheduler does not say that job ${plan.job} is yours.`,
  });
}

/** Its container would have no limit at all. */
function untoldShare({ job }: JobPlan, host: string): JobError {
  return new JobError({
    code: 'HOST_UNFIT',
    message: `The scheduler does not say what job ${job} has of host ${host}, and its container cannot live below the job's cgroup: it would have no limits.`,
    hint: cgroupfsHint,
  });
}

/** For administrators: what gives containers the job's own limits. */
export const cgroupfsHint =
  'Administrators: put "exec-opts": ["native.cgroupdriver=cgroupfs"] into daemon.json, and let the scheduler put jobs into cgroups.';

/**
 * The limits of a container that no cgroup of the job holds back: as many processors as slots, memory as the scheduler
 * has given the job, else as the site says, or less where the job asked for less.
 */
export function limitsOf({ container }: SiteConfig, share: HostShare): ShareLimits {
  const { slots, memoryPerSlotBytes, askedMemoryPerSlotBytes } = share;
  if (slots === undefined) return share.memoryBytes === undefined ? {} : { memoryBytes: share.memoryBytes };
  const memoryBytes = share.memoryBytes ?? (memoryPerSlotBytes ?? lower(askedMemoryPerSlotBytes, container)) * slots;
  // The engine refuses more processors than there are.
  return { cpus: Math.min(slots, cpus().length), ...(memoryBytes === 0 ? {} : { memoryBytes }) };
}

/** 0: without a limit. */
function lower(asked: number | undefined, { memoryPerSlotBytes }: SiteConfig['container']): number {
  if (asked === undefined) return memoryPerSlotBytes;
  return memoryPerSlotBytes === 0 ? asked : Math.min(asked, memoryPerSlotBytes);
}
