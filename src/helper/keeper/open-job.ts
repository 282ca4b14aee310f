import type { SiteConfig } from '../../config/site-schema.ts';
import type { Lease } from '../../ports/store.ts';
import { asJobError, JobError } from '../../values/errors.ts';
import type { HelperEvent } from '../../contract/helper-events.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { describePlannedImage } from '../../contract/job-plan.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import { refuseFromOutsideOfJobs } from '../caller/refuse-outsiders.ts';
import { forwardSignals } from './forward-signals.ts';
import { heedTaskEnds } from './heed-task-ends.ts';
import { keepWanted } from '../job/want-suspension.ts';
import { takeEndHere } from '../job/end-here.ts';
import { CommandEnded, keepJob } from './keep-job.ts';
import type { HelperContext } from '../open-context.ts';
import { receiveOrders } from './receive-orders.ts';
import { releaseHere } from '../release/release-here.ts';
import { releaseKeys } from '../release/release-keys.ts';
import type { KeysRelease } from '../release/release-keys.ts';
import { outliveSuspensionSignal, trackSuspension } from '../job/follow-suspension.ts';
import type { JobStore } from '../job/job-store.ts';
import { watchJobMemory } from '../job/job-memory.ts';
import { lifelineOf } from '../job/lifeline.ts';
import type { Lifeline } from '../job/lifeline.ts';
import { unmarkKeptHere } from '../host/run-directory.ts';
import { endWithScheduler } from './follow-scheduler.ts';
import { openCheckedJob } from './open-checked-job.ts';
import { RecordKeeper } from '../records/record-keeper.ts';
import { within } from '../../system/deadline.ts';

const strangersRequestMs = 2000;

/**
 * Opens the job that the middleware asks for on standard input, keeps it until its end, and releases it. Prints
 * events as JSON lines. The end of the input means that the middleware is gone: the job is ended and released.
 */
export async function openJob(
  context: HelperContext,
  input: NodeJS.ReadableStream,
  tell: (event: HelperEvent) => void,
): Promise<void> {
  await refuseFromOutsideOfJobs(context);
  await using undo = new AsyncDisposableStack();
  const orders = receiveOrders(input, requestDeadlineMs(context.site));
  undo.defer(() => orders.close());
  // A scheduler may suspend the job by this signal alone (LSF): the keeper goes on, and is told of it by an order.
  undo.use(outliveSuspensionSignal());
  const memory = await watchJobMemory(context.authorities);
  const { plan, given, jobStore, lease, notes } = await openCheckedJob(context, orders, undo).catch(
    async (thrown: unknown) => {
      throw thrown instanceof JobError ? await memory.explain(thrown) : thrown;
    },
  );
  const record = undo.use(await RecordKeeper.begin(context.site.records, plan));
  const emit = record.noting(tell);
  orders.onSignal(forwardSignals(jobStore));
  const over = new AbortController();
  undo.defer(() => over.abort());
  orders.onWanted(keepWanted(jobStore, over.signal));
  emit({
    event: 'opened',
    job: plan.job,
    image: plan.image.reference,
    ...describePlannedImage(plan.image),
    driver: plan.network.driver,
    cidr: plan.network.cidr,
    devices: plan.devices,
    nodes: plan.nodes.map(({ index, host, ip, slots }) => ({ index, host, ip, slots })),
  });
  for (const message of notes) emit({ event: 'note', message });
  const life = lifelineOf(jobStore.store, context.site.etcd.leaseTtlSeconds, lease);
  const hold = async (): Promise<void> => await holdJob(jobStore, life);
  // Where orders tell of a suspension, this process itself goes on, and its lease with it.
  const authority = context.authorities.of(plan.scheduler);
  const goesOn = authority.signalsBatchScript;
  await using suspension = trackSuspension(
    {
      suspend: async (superseded) => await (goesOn ? undefined : life.suspend(hold, superseded)),
      resume: async (superseded) => await (goesOn ? undefined : life.resume(hold, superseded)),
    },
    (error) => context.audit.record('suspension-failed', { job: plan.job, message: asJobError(error).message }),
  );
  const cancelled = AbortSignal.any([
    orders.cancelled,
    leaseSignal(life, plan.job),
    heedTaskEnds(orders, { jobStore, plan, over: over.signal }),
    ...(plan.nodes.length === 1 ? [] : [endedHere(plan, undo)]),
    ...(context.site.scheduler.requireJobCgroup
      ? []
      : [endWithScheduler(authority, { plan, given }, over.signal, orders.lateCommand)]),
  ]);
  const end = await keepJob({
    ...{ jobStore, site: context.site, plan, cancelled, emit, suspension, memory },
    lateCommand: orders.lateCommand,
    toldTaskEnds: () => orders.toldTaskEnds(),
  });
  context.audit.record('job-ended', {
    job: plan.job,
    by: end.by,
    exitStatus: end.exitStatus,
    code: end.by === 'command' ? undefined : end.code,
  });
  emit({ event: 'finished', end });
  record.expectEnd();
  const { leftovers, hosts, usage } = await releaseAll(context, jobStore, plan, orders.launcherEnded);
  // What is left is for this host's epilog, which finds the job by the keeper's mark.
  if (leftovers.length === 0) await unmarkKeptHere(plan.job);
  await life.end().catch(() => undefined);
  context.audit.record('job-released', { job: plan.job, leftovers });
  const lateCommand = await within(0, orders.lateCommand, undefined);
  await record.end({ lateCommand, end, usage, leftovers });
  emit({ event: 'released', leftovers, hosts, usage });
}

/** Waits until all hosts are clean. A job on one host is on ours: what its node has not taken away we can. */
async function releaseAll(
  context: HelperContext,
  jobStore: JobStore,
  plan: JobPlan,
  launcherEnded: AbortSignal,
): Promise<KeysRelease> {
  const released = await releaseKeys(context, jobStore, plan, launcherEnded);
  if (plan.nodes.length > 1 || (released.leftovers.length === 0 && released.hosts === 'done')) return released;
  // Its network stands since the job was opened: with a node that never began it is nobody's. The node's helper may still be
  // there, stopped perhaps, so the launcher is not waited for without end.
  return { ...released, leftovers: await releaseHere(context, plan.job), hosts: 'unsure' };
}

/**
 * The middleware writes the request before we have begun. Where nothing shows that a job calls, any user on any host may
 * have us wait, and so the less.
 */
function requestDeadlineMs({ scheduler, deadlines }: SiteConfig): number {
  return scheduler.requireJobCgroup ? deadlines.openSeconds * 1000 : strangersRequestMs;
}

/** Puts FINISH=FALSE of a running job under the lease of this moment; under none while we are suspended. */
async function holdJob(jobStore: JobStore, { lease }: Lifeline): Promise<void> {
  await jobStore.putWhileRunning({ FINISH: 'FALSE', KEEPER: 'held' }, lease);
}

/** Aborts when node 0 has left the command's end on this host, since the store was away. */
function endedHere(plan: JobPlan, undo: AsyncDisposableStack): AbortSignal {
  const ended = new AbortController();
  const over = new AbortController();
  undo.defer(() => over.abort());
  takeEndHere(plan, over.signal).then(
    (end) => end !== undefined && ended.abort(new CommandEnded(end)),
    (error: unknown) => ended.abort(asJobError(error)),
  );
  return ended.signal;
}

function leaseSignal(lease: Pick<Lease, 'lost'>, job: JobKey): AbortSignal {
  const controller = new AbortController();
  const lost = (): void =>
    controller.abort(
      new JobError({
        code: 'LEASE_LOST',
        message: `The lease of job ${job} in etcd has ended.`,
        hint: 'This host or etcd hung for longer than etcd.leaseTtlSeconds. Submit the job again.',
      }),
    );
  if (lease.lost.aborted) lost();
  else lease.lost.addEventListener('abort', lost, { once: true });
  return controller.signal;
}
