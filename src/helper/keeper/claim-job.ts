import type { Condition, Lease, Put, Store, StoreEntry } from '../../ports/store.ts';
import { JobError } from '../../values/errors.ts';
import type { JobKey } from '../../contract/job-key.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import { jobPlanSchema } from '../../contract/job-plan.ts';
import type { JobField } from '../../contract/kvs-keys.ts';
import { earlierRunKey, jobFieldKey, jobRange, keyOnly, nodesRange } from '../../contract/kvs-keys.ts';
import { freeSubnet } from '../job/claim-subnet.ts';
import { describeEarlierRun } from '../job/earlier-runs.ts';
import type { JobState } from '../job/job-state.ts';
import { parseJobState } from '../job/job-state.ts';
import { ownCommand } from '../caller/own-command.ts';

/**
 * Writes the plan and FINISH=FALSE; afterwards the job is ours. Where a run of the same job has left its keys and is over,
 * ours takes its place: what its hosts have not taken away stays noted, with its subnet. Returns the plan as written.
 * Fails with `JOB_BUSY` when the job is open, or when its keys are not of this user's job.
 */
export async function claimJob(
  store: Store,
  prefix: string,
  plan: JobPlan,
  lease: Lease,
  claims: AsyncDisposableStack,
): Promise<JobPlan> {
  const written = (text: string): readonly Put[] => [
    { key: jobFieldKey(prefix, plan.job, 'PLAN'), value: text },
    { key: jobFieldKey(prefix, plan.job, 'RUN'), value: plan.token },
    { key: jobFieldKey(prefix, plan.job, 'FINISH'), value: 'FALSE', lease },
    { key: jobFieldKey(prefix, plan.job, 'KEEPER'), value: plan.token, lease },
  ];
  claims.defer(async () => {
    // The claim may have been carried out although its answer was lost.
    await store.commit({
      conditions: [{ kind: 'value', key: jobFieldKey(prefix, plan.job, 'RUN'), equals: plan.token }],
      deletes: [jobRange(prefix, plan.job)],
    });
  });
  const isOurs = await store.commit({
    conditions: [absent(prefix, plan.job, 'PLAN'), absent(prefix, plan.job, 'FINISH')],
    puts: written(JSON.stringify(plan)),
  });
  if (isOurs) return plan;
  const entries = await store.read(jobRange(prefix, plan.job));
  const state = parseJobState(prefix, plan.job, entries);
  if (state.plan?.token === plan.token) return state.plan; // a retried claim met its own success
  refuseBusy(state, plan);
  if (state.plan === undefined)
    throw new JobError({ code: 'BUG', message: `Job ${plan.job} could not be claimed although nobody has it.` });
  // In the order of the schema, as it is written again by those who have read it.
  const successor = jobPlanSchema.parse({ ...plan, takesOver: true });
  await takeOver(store, prefix, { earlier: state.plan, state, entries, puts: written(JSON.stringify(successor)) });
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
async function takeOver(store: Store, prefix: string, { earlier, state, entries, puts }: TakeOver): Promise<void> {
  const { job, token, network } = earlier;
  const key = (field: JobField): string => jobFieldKey(prefix, job, field);
  const text = entries.find((entry) => entry.key === key('PLAN'))?.value ?? '';
  const unreleased = earlier.nodes
    .filter(({ index }) => state.nodes.has(index) && state.nodes.get(index)?.phase !== 'released')
    .map(({ host }) => host);
  const note = {
    key: earlierRunKey(prefix, token),
    value: JSON.stringify(describeEarlierRun(earlier, unreleased)),
  };
  const isFinished = state.finish === 'finished';
  const conditions: readonly Condition[] = [
    { kind: 'value', key: key('PLAN'), equals: text },
    isFinished ? { kind: 'value', key: key('FINISH'), equals: 'TRUE' } : absent(prefix, job, 'FINISH'),
    absent(prefix, job, 'KEEPER'),
  ];
  const isOurs = await store.commit({
    conditions,
    deletes: [nodesRange(prefix, job), ...transient.map((field) => keyOnly(key(field)))],
    puts: [...puts, ...(unreleased.length > 0 ? [note] : [])],
  });
  const mine = puts.find((put) => put.key === key('RUN'))?.value;
  const [now] = isOurs ? [] : await store.read(keyOnly(key('RUN')));
  if (!isOurs && now?.value !== mine) throw busy(job, true, earlier.openedAt);
  if (unreleased.length === 0) await freeSubnet(store, { prefix, cidr: network.cidr, job, token });
}

function absent(prefix: string, job: JobKey, field: JobField): Condition {
  return { kind: 'absent', key: jobFieldKey(prefix, job, field) };
}

type Claimant = Pick<JobPlan, 'job' | 'scheduler' | 'schedulerJobId'> & { readonly user: { readonly uid: number } };

/**
 * Fails with `JOB_BUSY` when the job is open or its keeper still takes it away, and when the keys are not of a run of this
 * very job of this user.
 */
export function refuseBusy(state: JobState, { job, scheduler, schedulerJobId, user }: Claimant): void {
  const { plan, finish, hasKeeper } = state;
  if (plan === undefined && finish === 'absent') return;
  const isSameJob =
    plan?.scheduler === scheduler && plan.schedulerJobId === schedulerJobId && plan.user.uid === user.uid;
  if (isSameJob && finish !== 'running' && !hasKeeper) return;
  throw busy(job, finish === 'running', plan?.openedAt);
}

function busy(job: JobKey, isRunning: boolean, openedAt = '?'): JobError {
  return new JobError({
    code: 'JOB_BUSY',
    message: isRunning
      ? `Job ${job} is running in containers already, opened at ${openedAt}.`
      : `Job ${job} has left keys of an earlier run in the store.`,
    hint: isRunning
      ? 'One call of hpc-submit-dockerjob at a time: let the first one end.'
      : `Wait until its clean-up has ended, or release it: sudo ${ownCommand(process.env['HPCDJ_HELPER'])} release-job ${job}`,
  });
}
