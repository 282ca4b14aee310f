import type { SiteConfig } from '../../config/site-schema.ts';
import { JobError } from '../../values/errors.ts';
import type { WantedState } from '../../contract/helper-events.ts';
import { nodeHostname } from '../../contract/job-key.ts';
import type { JobPlan, PlannedNode } from '../../contract/job-plan.ts';
import { endJobInAnyCase } from '../job/end-job.ts';
import type { JobState } from '../job/job-state.ts';
import type { JobStore } from '../job/job-store.ts';
import { findUnreleased } from '../job/find-unreleased.ts';
import { putWanted } from '../job/want-suspension.ts';

/** What can be done to a running job as a whole. */
export const steerings = ['suspend', 'resume', 'stop'] as const;
export type Steering = (typeof steerings)[number];

export interface SteeredJob {
  readonly site: Pick<SiteConfig, 'deadlines'>;
  readonly jobStore: JobStore;
  readonly plan: JobPlan;
}

/**
 * Says in the store what the job's hosts are to do, and returns when each of them has done it, or the job is over. Fails
 * with `NODE_LATE`, naming the nodes that did not follow in time, with `JOB_BUSY` when somebody wanted the opposite
 * meanwhile, with `STORE_UNREACHABLE`.
 */
export async function steerJob(job: SteeredJob, steering: Steering): Promise<void> {
  await (steering === 'stop' ? stop(job) : want(job, steering));
}

async function want(job: SteeredJob, steering: 'suspend' | 'resume'): Promise<void> {
  const { jobStore, plan } = job;
  const wanted: WantedState = steering === 'suspend' ? 'suspended' : 'running';
  if (!(await putWanted(jobStore, wanted))) return;
  await awaitNodes(job, steering, (state) => {
    if (!isRunning(plan, state)) return [];
    if (state.wanted !== wanted) throw overtaken(plan, steering);
    return plan.nodes.filter(
      ({ index }) => (state.nodes.get(index)?.phase === 'suspended') !== (wanted === 'suspended'),
    );
  });
}

async function stop(job: SteeredJob): Promise<void> {
  const { jobStore, plan } = job;
  const { code, message, exitStatus } = new JobError({
    code: 'TERMINATED',
    message: `Job ${plan.job} was ended from outside (control-job).`,
  });
  await endJobInAnyCase(jobStore, { by: 'middleware', exitStatus, code, message });
  await awaitNodes(job, 'stop', (state) => {
    // Keys that are gone, or belong to another run by now, are removed only once every host has reported.
    if (state.plan?.token !== plan.token || findUnreleased(plan, state, true).length === 0) return [];
    return plan.nodes.filter(({ index }) => state.nodes.get(index)?.phase !== 'released');
  });
}

function isRunning(plan: JobPlan, state: JobState): boolean {
  return state.finish === 'running' && state.plan?.token === plan.token;
}

/** Waits until no node is late, for as long as a container may take to stop and a host to report. */
async function awaitNodes(
  { site, jobStore, plan }: SteeredJob,
  steering: Steering,
  findLate: (state: JobState) => readonly PlannedNode[],
): Promise<void> {
  const seconds = site.deadlines.stopSeconds + site.deadlines.releaseSeconds;
  const outcome = await jobStore.until((state) => (findLate(state).length === 0 ? true : undefined), {
    deadlineMs: seconds * 1000,
  });
  if (outcome.kind === 'reached') return;
  throw outcome.outage ?? lateError(plan, steering, seconds, findLate(outcome.last), outcome.last);
}

function lateError(
  plan: JobPlan,
  steering: Steering,
  seconds: number,
  late: readonly PlannedNode[],
  state: JobState,
): JobError {
  const shown = late
    .slice(0, 8)
    .map(
      ({ index, host }) =>
        `${nodeHostname(plan.job, index)} on ${host} (${state.nodes.get(index)?.phase ?? 'not started'})`,
    );
  return new JobError({
    code: 'NODE_LATE',
    message: `${late.length} of ${plan.nodes.length} nodes did not ${steering} within ${seconds} s: ${shown.join(', ')}${late.length > shown.length ? ', …' : ''}.`,
    hint: 'They follow as soon as they can. Safe to repeat.',
  });
}

function overtaken({ job }: JobPlan, steering: Steering): JobError {
  return new JobError({
    code: 'JOB_BUSY',
    message: `Job ${job} was told otherwise before all of its nodes did ${steering}.`,
    hint: 'The last word counts.',
  });
}
