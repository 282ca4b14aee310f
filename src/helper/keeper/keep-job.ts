import type { SiteConfig } from '../../config/site-schema.ts';
import { asJobError, JobError } from '../../values/errors.ts';
import { endByError, killedForMemory } from '../../contract/helper-events.ts';
import type { HelperEvent, JobEnd } from '../../contract/helper-events.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import type { LateCommand } from '../../contract/job-request.ts';
import { formatRoster } from '../../contract/roster-text.ts';
import { endJobInAnyCase } from '../job/end-job.ts';
import { findAuthorities } from '../find-authority.ts';
import type { Suspension } from '../job/follow-suspension.ts';
import { gatherRoster } from '../job/gather-roster.ts';
import type { JobMemory } from '../job/job-memory.ts';
import type { JobState, NodeState } from '../job/job-state.ts';
import { started } from '../job/job-state.ts';
import type { JobOutcome, JobStore } from '../job/job-store.ts';
import { retryUntil } from '../../system/retry-until.ts';
import { persistUntil } from '../job/persist-until.ts';
import { followFetches } from './follow-fetches.ts';
import { describeTaskEnd, isSameHost } from './heed-task-ends.ts';
import { findLostHost } from './find-lost-host.ts';
import { LauncherEnded } from './launcher-error.ts';
import type { EndedTasks } from './launcher-error.ts';
import { killedForMemoryError, leaseLost, LostNode, throwOnTrouble, tooLate } from './job-trouble.ts';
import type { Wait } from './job-trouble.ts';
import { startRunClock } from './run-clock.ts';
import { describeUnreached } from './unreached-host.ts';

export interface KeptJob {
  readonly jobStore: JobStore;
  readonly site: SiteConfig;
  readonly plan: JobPlan;
  /**
   * Aborts with a `JobError` when the middleware, a signal, the launcher or the lease ends the job, and with a
   * `CommandEnded` when the command's end came by another way than the store.
   */
  readonly cancelled: AbortSignal;
  readonly emit: (event: HelperEvent) => void;
  /** Told when the nodes say that the scheduler has suspended the job, which tells them alone. */
  readonly suspension?: Suspension;
  /** The command of a job whose plan has none; never rejects. */
  readonly lateCommand?: Promise<LateCommand>;
  /** Default: the job's scheduler. */
  readonly readSuspendedSeconds?: () => Promise<number>;
  /** Tells whether memory is why one of our programs is gone; default: it is not. */
  readonly memory?: JobMemory;
  /** What the launcher has told of tasks that have ended; default: nothing. */
  readonly toldTaskEnds?: () => readonly EndedTasks[];
}

/** A reason to wait no longer: the command has ended, and the store does not know it. */
export class CommandEnded extends Error {
  readonly end: JobEnd;

  constructor(end: JobEnd) {
    super('The command has ended.');
    this.end = end;
  }
}

/**
 * Leads an opened job from its first node to its end: gathers what the nodes publish into one roster, says start
 * when all are ready, and waits for FINISH. Whatever goes wrong becomes the job's end; never throws for that.
 */
export async function keepJob(job: KeptJob): Promise<JobEnd> {
  const { deadlines } = job.site;
  let hasBegun = false;
  try {
    const gathered = await settle(job, deadlines.startSeconds, 'publish its address', (state) =>
      gatherRoster(job.plan, state),
    );
    if (gathered.kind === 'ended') return gathered.end;
    await publish(job, 'ROSTER', formatRoster(gathered.value));
    job.emit({ event: 'gathered' });
    const ready = await settle(job, deadlines.discoverSeconds, 'get ready', (state) =>
      countReady(job.plan, state) ? true : undefined,
    );
    if (ready.kind === 'ended') return ready.end;
    hasBegun = true;
    return (await startCommand(job)) ?? (await awaitEnd(job));
  } catch (thrown) {
    return await endWith(
      job,
      thrown instanceof CommandEnded ? thrown.end : endByError(await findCause(job, asJobError(thrown), hasBegun)),
    );
  }
}

/** Says start, to a job without a command when it has one; the end of a job that has ended before. */
async function startCommand(job: KeptJob): Promise<JobEnd | undefined> {
  const isLate = job.plan.command.kind === 'later';
  if (!isLate) await publish(job, 'START', started);
  job.emit({ event: 'ready' });
  if (!isLate) return undefined;
  const failed = new AbortController();
  using begunOrOver = new DisposableStack();
  const cancelled = AbortSignal.any([job.cancelled, failed.signal]);
  const settled = begunOrOver.adopt(new AbortController(), (each) => each.abort());
  const over = AbortSignal.any([cancelled, settled.signal]);
  let hasCome = false;
  job.lateCommand
    ?.then(async (late) => {
      hasCome = !over.aborted;
      await persistUntil(over, async () => {
        await publish(job, 'START', JSON.stringify(late)).catch(failUnlessAway(failed));
      });
    })
    .catch(() => undefined); // `over` aborted, and who waits for it knows why
  const { scriptSeconds } = job.site.deadlines;
  const begun = await settle(
    { ...job, cancelled },
    scriptSeconds,
    'begin',
    ({ hasStarted }) => hasStarted || undefined,
  ).catch((error: unknown) => {
    // Who hears that the script was late may start the command anew: never where a host may have seen it already.
    throw hasCome && asJobError(error).code === 'SCRIPT_LATE' ? startUnsaid(job.plan) : error;
  });
  return begun.kind === 'ended' ? begun.end : undefined;
}

function startUnsaid({ job }: JobPlan): JobError {
  return new JobError({
    code: 'STORE_UNREACHABLE',
    message: `The command of job ${job} came, but its hosts could not be told in time.`,
    hint: 'Submit the job again.',
  });
}

/** A store that is away for a moment ends no job that waits for its command, as it ends none that runs. */
function failUnlessAway(failed: AbortController): (error: unknown) => void {
  return (error) => {
    const reason = asJobError(error);
    if (reason.code === 'STORE_UNREACHABLE' || reason.code === 'STORE_FULL') throw reason;
    failed.abort(reason);
  };
}

/** Where the kernel has killed a program of ours since memory ran out, that is the cause of whatever followed. */
async function findCause(job: KeptJob, error: JobError, hasBegun: boolean): Promise<JobError> {
  const found = await findNextCause(job, error, hasBegun);
  const isSilent = found instanceof LostNode;
  const told =
    isSilent || error instanceof LauncherEnded ? await hearOfMemory(job, isSilent ? launcherWordMs : 0) : undefined;
  return told ?? (await job.memory?.explain(found)) ?? found;
}

/** In which the launcher tells how a task has ended whose lease is gone. */
const launcherWordMs = 1500;

async function hearOfMemory(
  { plan, toldTaskEnds = () => [] }: KeptJob,
  deadlineMs: number,
): Promise<JobError | undefined> {
  const look = (): JobError | undefined => {
    const hosts = toldTaskEnds().flatMap((tasks) => (tasks.how === killedForMemory ? tasks.hosts : []));
    const node = plan.nodes.find(({ host }) => hosts.some((name) => isSameHost(name, host)));
    return node && killedForMemoryError(plan, node.index);
  };
  return await retryUntil(look, { pauseMs: lookAgainMs, deadlineMs });
}

const lookAgainMs = 100;

/** A keeper that stood still hears first that the launcher has ended: the hosts had ended the job by its lost lease. */
async function findNextCause({ jobStore, site, plan }: KeptJob, error: JobError, hasBegun: boolean): Promise<JobError> {
  if (!(error instanceof LauncherEnded)) return error;
  const state = await jobStore.read().catch(() => undefined);
  if (state?.finish === 'absent' && state.plan !== undefined) return leaseLost(plan);
  if (hasBegun) {
    const isOwnEnd = error.killedBy === undefined && plan.nodes.length > 1;
    return (isOwnEnd ? await findLostHost(jobStore, site, plan) : undefined) ?? error.afterStart();
  }
  const [ofTask] = error.tasks
    .map((tasks) => describeTaskEnd(plan, state, tasks))
    .filter((found) => found !== undefined);
  return ofTask ?? error.told ?? describeUnreached(plan, state, error.detail) ?? error;
}

/** Waits for the end of the job, for as long as its application may run. */
async function awaitEnd(job: KeptJob): Promise<JobEnd> {
  const { maxRunSeconds, scheduler, schedulerJobId, nodes } = job.plan;
  const ask = async (): Promise<number> =>
    (await findAuthorities(job.site.scheduler).of(scheduler).readSuspendedSeconds?.(schedulerJobId)) ?? 0;
  const clock = startRunClock(maxRunSeconds * 1000, job.readSuspendedSeconds ?? ask);
  const look = (state: JobState): undefined => {
    clock.setPaused(nodes.every(({ index }) => state.nodes.get(index)?.phase === 'suspended'));
  };
  const seconds = maxRunSeconds === 0 ? undefined : maxRunSeconds;
  const ended = await settle(job, seconds, 'finish', look, async () => await clock.leftMs());
  if (ended.kind === 'ended') return ended.end;
  throw new JobError({ code: 'BUG', message: 'The wait for the end of the job ended without one.' });
}

type Settled<T> = { readonly kind: 'reached'; readonly value: T } | { readonly kind: 'ended'; readonly end: JobEnd };

/**
 * Waits until `judge` is content with the state or the job has ended; throws what ends the job otherwise. A deadline that
 * has passed is put off by `leftMs`; unless told by the time that the job was suspended, or its hosts fetched the image.
 */
async function settle<T>(
  job: KeptJob,
  seconds: number | undefined,
  waitedFor: Wait,
  judge: (state: JobState) => T | undefined,
  leftMs?: () => Promise<number>,
): Promise<Settled<T>> {
  const { jobStore, plan } = job;
  const progress = new Map<number, string>();
  let standing = false;
  let last: JobState | undefined;
  const look = (state: JobState): Settled<T> | undefined => {
    last = state;
    reportProgress(job, state, progress);
    fetches.look(state);
    if (state.finish === 'finished' && state.end !== undefined) return { kind: 'ended', end: state.end };
    throwOnTrouble(plan, state);
    // What is wanted counts before the nodes have followed: a launcher that was stopped reaches none of them.
    const isFollowed = [...state.nodes.values()].some(({ phase }) => phase === 'suspended');
    job.suspension?.set(isFollowed || state.wanted === 'suspended');
    standing = reportSuspension(job, state, standing);
    const value = judge(state);
    return value === undefined ? undefined : { kind: 'reached', value };
  };
  const fetches = followFetches(job.site, plan, job.emit);
  const excusedMs = (): number => (job.suspension?.suspendedMs() ?? 0) + fetches.spentMs();
  let deadlineMs = seconds === undefined ? undefined : seconds * 1000;
  let outcome: JobOutcome<Settled<T>>;
  do {
    const before = excusedMs();
    outcome = await jobStore.until(look, { signal: job.cancelled, deadlineMs, tolerateOutage: true });
    if (outcome.kind === 'timeout') deadlineMs = (await leftMs?.()) ?? excusedMs() - before;
  } while (outcome.kind === 'timeout' && deadlineMs !== undefined && deadlineMs > 0);
  if (outcome.kind === 'reached') return outcome.value;
  if (outcome.outage !== undefined) throw outcome.outage;
  throw tooLate(plan, last, seconds ?? 0, waitedFor);
}

function countReady(plan: JobPlan, state: JobState): boolean {
  return plan.nodes.every(({ index }) => state.nodes.get(index)?.isReady === true);
}

function reportProgress(job: KeptJob, state: JobState, seen: Map<number, string>): void {
  for (const { index, host } of job.plan.nodes) {
    const node: NodeState | undefined = state.nodes.get(index);
    if (node === undefined || seen.get(index) === node.phase) continue;
    seen.set(index, node.phase);
    job.emit({ event: 'node', index, host, phase: node.phase });
  }
}

/** Says once that all containers stand still, and once that all go on; true while they stand still. */
function reportSuspension({ plan, emit }: KeptJob, { nodes }: JobState, stoodStill: boolean): boolean {
  const suspended = plan.nodes.filter(({ index }) => nodes.get(index)?.phase === 'suspended').length;
  if (!stoodStill && suspended === plan.nodes.length) {
    emit({ event: 'note', message: `suspended: ${suspended} of ${suspended} containers are paused` });
    return true;
  }
  if (stoodStill && suspended === 0) emit({ event: 'note', message: 'resumed: every container runs again' });
  return stoodStill && suspended > 0;
}

/** Writes a field of a running job once. */
async function publish({ jobStore }: KeptJob, field: 'ROSTER' | 'START', value: string): Promise<void> {
  await jobStore.putWhileRunning({ [field]: value });
  // A refused commit means that the job has ended meanwhile: the next look at the state says how.
}

/** Ends that only say that a node was not heard of: where the store refuses what nodes have to say, that is why. */
const unheard: readonly string[] = ['NODE_LOST', 'NODE_LATE', 'LEASE_LOST'];

/** The end that counts; without the store, or in one that is full, it is the one that the keeper knows. */
async function endWith(job: KeptJob, end: JobEnd): Promise<JobEnd> {
  const told = await endJobInAnyCase(job.jobStore, end).catch(() => ({ end, isTold: true }));
  if (told.isTold) return told.end;
  const full = new JobError({
    code: 'STORE_FULL',
    message: 'The key-value store is full and refuses writes, so the hosts of the job could not report.',
    hint: 'Tell the administrators: etcdctl compact, defrag, alarm disarm. Safe to submit again once there is room.',
  });
  if (end.by === 'middleware' && unheard.includes(end.code)) return endByError(full);
  job.emit({
    event: 'note',
    message: 'the key-value store is full and refuses writes: the hosts end the job without it',
  });
  return end;
}
