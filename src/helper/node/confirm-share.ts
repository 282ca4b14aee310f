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
}

export type ShareLimits = Pick<ContainerSpec, 'cpus' | 'memoryBytes'>;

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
    const { slots, memoryPerSlotBytes } = confirmed;
    return { slots: slots?.get(host), memoryPerSlotBytes };
  }
  throw new JobError({
    code: 'JOB_NOT_YOURS',
    message: isThatJob
      ? `The scheduler does not say that job ${plan.job} runs on host ${host}.`
      : `The scheduler does not say that job ${plan.job} is yours.`,
  });
}

/**
 * The limits of a container that no cgroup of the job holds back: as many processors as slots, memory as the job asked
 * the scheduler for, else as the site says.
 */
export function limitsOf({ container }: SiteConfig, { slots, memoryPerSlotBytes }: HostShare): ShareLimits {
  if (slots === undefined) return {};
  const memoryBytes = (memoryPerSlotBytes ?? container.memoryPerSlotBytes) * slots;
  // The engine refuses more processors than there are.
  return { cpus: Math.min(slots, cpus().length), ...(memoryBytes === 0 ? {} : { memoryBytes }) };
}
