/** The queue of the stand-in: which job runs where, and what its agent told of it. */
import type { Socket } from 'node:net';
import { chooseHosts } from './choose-hosts.ts';
import { sealOrder } from './credentials.ts';
import type { JobOrder } from './job.ts';
import { hasEnded, nowSeconds } from './queued-job.ts';
import type { QueuedJob } from './queued-job.ts';
import type { Settings } from './settings.ts';
import { connectTo, numberOf, readLines, readMessages, send, textOf } from './wire.ts';
import type { Message } from './wire.ts';

export interface Scheduler {
  readonly jobs: readonly QueuedJob[];
  add(job: QueuedJob): void;
  /** Sends an order to the agent that has the job, or will have it in a moment. */
  order(job: QueuedJob, message: Message): void;
  /** Ends a job that does not run. */
  cancel(job: QueuedJob): void;
  /** Starts what can be started now. */
  dispatch(): void;
}

/** A scheduler with an empty queue; it looks at the queue at every event and at every cycle. */
export function startScheduler(settings: Settings): Scheduler {
  const jobs: QueuedJob[] = [];
  const unavailable = new Set<string>();
  let isLooking = false;
  let turn = 0;

  const dispatch = (): void => {
    for (const job of jobs) {
      if (job.status !== 'PEND' || job.waitsForCycle || job.isPlaced) continue;
      const { request } = job.submission;
      // A job that comes back is tried on the same host again, as recorded.
      const loads = readLoads(settings, jobs).filter(
        ({ name }) => !job.barredHosts.has(name) && !unavailable.has(name),
      );
      const shares = canReuse(job, loads) ? job.shares : chooseHosts(loads, request, turn);
      if (shares === undefined) {
        job.pendingReason = 'Not enough job slot(s) or hosts';
        continue;
      }
      turn += 1;
      job.shares = shares;
      job.isPlaced = true;
      void place(settings, job, dispatch);
    }
  };

  const cycle = async (): Promise<void> => {
    if (isLooking) return;
    isLooking = true;
    if (jobs.some(({ status }) => status === 'PEND')) await findUnavailable(settings, unavailable);
    isLooking = false;
    for (const job of jobs) job.waitsForCycle = false;
    dispatch();
  };
  setInterval(() => {
    void cycle();
    for (const job of jobs) if (job.status === 'UNKWN') void buryLostJob(settings, job, dispatch);
  }, settings.cycleMs).unref();

  return {
    jobs,
    dispatch,
    add: (job) => {
      jobs.push(job);
      dispatch();
    },
    order: (job, message) => {
      if (job.agent === undefined) (job.unsent ??= []).push(message);
      else send(job.agent, message);
    },
    cancel: (job) => {
      finish(job, undefined, 'EXIT');
    },
  };
}

/** Notes which hosts do not answer: no job is placed there. (The recorded system notices within two minutes.) */
async function findUnavailable(settings: Settings, unavailable: Set<string>): Promise<void> {
  const look = async (host: Settings['hosts'][number]): Promise<void> => {
    try {
      (await connectTo('agent', host)).destroy();
      unavailable.delete(host.name);
    } catch {
      unavailable.add(host.name);
    }
  };
  await Promise.all(settings.hosts.map(look));
}

/** Free slots of every host. */
function readLoads(settings: Settings, jobs: readonly QueuedJob[]): { name: string; free: number }[] {
  return settings.hosts.map(({ name, slots }) => ({ name, free: slots - countUsed(jobs, name) }));
}

/** Slots of a host that jobs hold. */
export function countUsed(jobs: readonly QueuedJob[], host: string): number {
  const placed = jobs.filter((job) => job.isPlaced && !hasEnded(job));
  return placed
    .flatMap(({ shares }) => shares)
    .filter((share) => share.host === host)
    .reduce((sum, { slots }) => sum + slots, 0);
}

function canReuse(job: QueuedJob, loads: readonly { name: string; free: number }[]): boolean {
  const isFree = (host: string, slots: number): boolean =>
    (loads.find(({ name }) => name === host)?.free ?? 0) >= slots;
  return job.shares.length > 0 && job.shares.every(({ host, slots }) => isFree(host, slots));
}

/** Gives the job to the agent of its first host and follows it to its end. */
async function place(settings: Settings, job: QueuedJob, dispatch: () => void): Promise<void> {
  const host = settings.hosts.find(({ name }) => name === job.shares[0]?.host);
  let own: Socket | undefined;
  try {
    if (host === undefined) throw new Error('There is no such host.');
    job.startSeconds = nowSeconds();
    const sealed = await sealOrder(settings, { type: 'job', order: toOrder(job) });
    const socket = await connectTo(`The agent of ${host.name}`, host);
    socket.write(`${sealed}\n`);
    own = socket;
    job.agent = socket;
    for (const message of job.unsent?.splice(0) ?? []) send(socket, message);
    await follow(settings, job, socket);
  } catch (error) {
    if (own === undefined || job.agent === own)
      returnToQueue(job, error instanceof Error ? error.message : String(error));
  }
  if (job.agent === own) delete job.agent;
  dispatch();
}

function toOrder(job: QueuedJob): JobOrder {
  const { id, submission, user, queue, submitSeconds, shares } = job;
  return {
    id,
    submission,
    user,
    queue,
    submitSeconds,
    shares,
    ...(job.array === undefined ? {} : { array: job.array }),
  };
}

async function follow(settings: Settings, job: QueuedJob, socket: Socket): Promise<void> {
  for await (const told of readMessages(readLines(socket))) hear(settings, job, told);
  // Nothing told of the end: the host, its agent or the way to it is gone. Its slots stay taken until it is back.
  // A job that has gone back to the queue may be placed anew already: then this connection says nothing of it.
  if (!hasEnded(job) && job.isPlaced && job.agent === socket) job.status = 'UNKWN';
}

function hear(settings: Settings, job: QueuedJob, told: Message): void {
  switch (told.type) {
    case 'accepted':
      // As in the source of the recorded system: the host's answer makes the job RUN, and its eexec and pre-execs come after
      // that. Nothing else is known of IBM's, which is imitated alike.
      job.status = 'RUN';
      delete job.pendingReason;
      break;
    case 'started':
      job.hasStarted = true;
      if (job.client !== undefined) send(job.client, { type: 'started', host: job.shares[0]?.host });
      carryOutHeld(job);
      break;
    case 'resumed':
      if (job.status === 'SSUSP') job.status = 'RUN';
      break;
    case 'stdout':
    case 'stderr':
      if (job.client !== undefined) send(job.client, told);
      break;
    case 'pre-failed': {
      const hosts = told['hosts'] as readonly string[];
      if (settings.excludeHostValues.includes(numberOf(told, 'status')))
        for (const host of hosts) job.barredHosts.add(host);
      const owner = textOf(told, 'level') === 'queue' ? "The queue's" : "The job's";
      const count = hosts.length === 1 ? '1 host' : `${hosts.length} hosts`;
      returnToQueue(job, `${owner} pre-exec command exited with non-zero status: ${count}`);
      break;
    }
    case 'requeued':
      returnToQueue(job, 'Job was requeued by its exit value');
      break;
    case 'failed':
      returnToQueue(job, textOf(told, 'reason'));
      break;
    case 'ended':
      finish(job, numberOf(told, 'status'));
      break;
  }
}

function returnToQueue(job: QueuedJob, reason: string): void {
  if (hasEnded(job)) return;
  job.status = 'PEND';
  job.pendingReason = reason;
  job.waitsForCycle = true;
  job.isPlaced = false;
  job.hasStarted = false;
  delete job.agent;
  carryOutHeld(job);
}

function carryOutHeld(job: QueuedJob): void {
  const { held } = job;
  delete job.held;
  held?.();
}

function finish(job: QueuedJob, exitCode: number | undefined, status = exitCode === 0 ? 'DONE' : 'EXIT'): void {
  if (hasEnded(job)) return;
  job.status = status === 'DONE' ? 'DONE' : 'EXIT';
  job.finishSeconds = nowSeconds();
  if (exitCode !== undefined) job.exitCode = exitCode;
  job.isPlaced = false;
  delete job.held;
  if (job.client !== undefined) send(job.client, { type: 'ended', status: exitCode ?? 1 });
}

/** A lost job is over, without an exit code, as soon as its host answers again. */
async function buryLostJob(settings: Settings, job: QueuedJob, dispatch: () => void): Promise<void> {
  const host = settings.hosts.find(({ name }) => name === job.shares[0]?.host);
  if (host === undefined) return;
  const socket = await connectTo('agent', host).catch(() => undefined);
  if (socket === undefined) return;
  socket.destroy();
  finish(job, undefined);
  dispatch();
}
