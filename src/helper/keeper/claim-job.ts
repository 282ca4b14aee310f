import type { Condition, Lease, Put, StoreEntry } from '../../ports/store.ts';
import { JobError } from '../../values/errors.ts';
import type { JobKey } from '../../contract/job-key.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import { jobPlanSchema } from '../../contract/job-plan.ts';
import { formatPlan } from '../../contract/plan-text.ts';
import type { JobField } from '../../contract/kvs-keys.ts';
import { earlierRunKey, keyOnly } from '../../contract/kvs-keys.ts';
import { freeSubnet } from '../job/claim-subnet.ts';
import { describeEarlierRun } from '../job/earlier-runs.ts';
import type { JobState } from '../job/job-state.ts';
import type { JobStore } from '../job/job-store.ts';
import { ownCommand } from '../caller/own-command.ts';

/**
 * Writes the plan and FINISH=FALSE; afterwards the job is ours. Where a run of the same job has left its keys and is over,
 * ours takes its place: what its hosts have not taken away stays noted, with its subnet. Returns the plan as written.
 * Fails with `JOB_BUSY` when the job is open, or when its keys are not of this user's job.
 */
export async function claimJob(
  jobStore: JobStore,
  plan: JobPlan,
  lease: Lease,
  claims: AsyncDisposableStack,
): Promise<JobPlan> {
  const { store } = jobStore;
  const written = (text: string): readonly Put[] => [
    ...jobStore.putsOf({ PLAN: text, RUN: plan.token }),
    ...jobStore.putsOf({ FINISH: 'FALSE', KEEPER: plan.token }, lease),
  ];
  claims.defer(async () => {
    // The claim may have been carried out although its answer was lost.
    await store.commit({ conditions: [jobStore.has('RUN', plan.token)], deletes: [jobStore.ranges.all] });
  });
  const isOurs = await store.commit({
    conditions: [jobStore.lacks('PLAN'), jobStore.lacks('FINISH')],
    puts: written(formatPlan(plan)),
  });
  if (isOurs) return plan;
  const entries = await store.read(jobStore.ranges.all);
  const state = jobStore.parse(entries);
  if (state.plan?.token === plan.token) return state.plan; // a retried claim met its own success
  refuseBusy(state, plan);
  if (state.plan === undefined)
    throw new JobError({ code: 'BUG', message: `Job ${plan.job} could not be claimed although nobody has it.` });
  // In the order of the schema, as it is written again by those who have read it.
  const successor = jobPlanSchema.parse({ ...plan, takesOver: true });
  await takeOver(jobStore, { earlier: state.plan, state, entries, puts: written(formatPlan(successor)) });
  return successor;
}

interface TakeOver {
  readonly earlier: JobPlan;
  readonly state: JobState;
  readonly entries: readonly StoreEntry[];
  readonly puts: readonly Put[];
}

/** What the run before has in the store and ours does not write anew. */
const transient = ['EXITCODE', 'REASON', 'ROSTER', 'START', 'SIGNAL', 'WANTED'] as const satisfies readonly JobField[];

/** In one transaction, by the very plan that was read and only while nobody keeps it. */
async function takeOver(jobStore: JobStore, { earlier, state, entries, puts }: TakeOver): Promise<void> {
  const { store, prefix, job } = jobStore;
  const { token, network } = earlier;
  const text = entries.find(({ key }) => key === jobStore.key('PLAN'))?.value ?? '';
  const unreleased = earlier.nodes
    .filter(({ index }) => state.nodes.has(index) && state.nodes.get(index)?.phase !== 'released')
    .map(({ host }) => host);
  const note = {
    key: earlierRunKey(prefix, token),
    value: JSON.stringify(describeEarlierRun(earlier, unreleased)),
  };
  const isFinished = state.finish === 'finished';
  const conditions: readonly Condition[] = [
    jobStore.has('PLAN', text),
    isFinished ? jobStore.has('FINISH', 'TRUE') : jobStore.lacks('FINISH'),
    jobStore.lacks('KEEPER'),
  ];
  const isOurs = await store.commit({
    conditions,
    deletes: [jobStore.ranges.nodes, ...transient.map((field) => keyOnly(jobStore.key(field)))],
    puts: [...puts, ...(unreleased.length > 0 ? [note] : [])],
  });
  const mine = puts.find(({ key }) => key === jobStore.key('RUN'))?.value;
  if (!isOurs && (await jobStore.readField('RUN')) !== mine) throw busy(job, true, earlier.openedAt);
  if (unreleased.length === 0) await freeSubnet(store, { prefix, cidr: network.cidr, job, token });
}

export type Claimant = Pick<JobPlan, 'job' | 'scheduler' | 'schedulerJobId'> & {
  readonly user: { readonly uid: number };
};

/**
 * Fails with `JOB_BUSY` when the job is open or its keeper still takes it away, and when the keys are not of a run of this
 * very job of this user.
 */
export function refuseBusy(state: JobState, claimant: Claimant): void {
  const { plan, finish, hasKeeper } = state;
  if (plan === undefined && finish === 'absent') return;
  if (isOfSameJob(state, claimant) && finish !== 'running' && !hasKeeper) return;
  throw busy(claimant.job, finish === 'running', plan?.openedAt);
}

/** True for the keys of a run of this very job of this user. */
export function isOfSameJob({ plan }: JobState, { scheduler, schedulerJobId, user }: Claimant): boolean {
  return plan?.scheduler === scheduler && plan.schedulerJobId === schedulerJobId && plan.user.uid === user.uid;
}

function busy(job: JobKey, isRunning: boolean, openedAt = '?'): JobError {
  return new JobError({
    code: 'JOB_BUSY',
    message: isRunning
      ? `Job ${job} is running in containers already, opened at ${openedAt}.`
      : `Job ${job} has left keys of an earlier run in the store.`,
    hint: isRunning
      ? 'One call of hpc-submit-dockerjob at a time: wait until the first one has ended.'
      : `Wait until its clean-up has ended, or release it: sudo ${ownCommand(process.env['HPCDJ_HELPER'])} release-job ${job}`,
  });
}
