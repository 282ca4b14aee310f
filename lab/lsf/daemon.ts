/** The scheduler's daemon on the head: answers the commands of users, and keeps the queue. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { parseArrayName } from './array-name.ts';
import { CommandError } from './command-error.ts';
import { openOrder } from './credentials.ts';
import { nameJob } from './job.ts';
import type { JobUser, Submission } from './job.ts';
import { describeJob, hasEnded, nowSeconds } from './queued-job.ts';
import type { QueuedJob } from './queued-job.ts';
import { countUsed, startScheduler } from './scheduler.ts';
import type { Scheduler } from './scheduler.ts';
import { readSettings } from './settings.ts';
import type { Settings } from './settings.ts';
import { numberOf, readLines, readMessages, send, textOf } from './wire.ts';
import type { Message } from './wire.ts';

const keepAliveMs = 10_000;

/** Serves until the process is ended. Jobs are kept in memory; only the last job number outlives the daemon. */
export function serveCluster(settings: Settings): void {
  mkdirSync(settings.workdir, { recursive: true });
  const scheduler = startScheduler(settings);
  const server = createServer({ keepAlive: true, keepAliveInitialDelay: keepAliveMs, noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    // Read again each time: an administrator's change counts from the next job on.
    serveCommand(readSettings(process.env), scheduler, socket).catch((error: unknown) => {
      const reason = error instanceof CommandError ? error.message : 'LSF stand-in: internal error.';
      if (!(error instanceof CommandError)) process.stderr.write(`${String((error as Error).stack ?? error)}\n`);
      send(socket, { type: 'refused', reason });
      socket.end();
    });
  });
  server.listen(settings.master.port, settings.master.address, () => process.stdout.write('lsf-standin is ready\n'));
}

async function serveCommand(settings: Settings, scheduler: Scheduler, socket: Socket): Promise<void> {
  const lines = readLines(socket);
  const first = await lines.next();
  if (first.done === true) return;
  const opened = await openOrder(settings, first.value);
  if (opened === undefined) throw new CommandError('User permission denied');
  const { user, message } = opened;
  if (message.type !== 'submit') {
    send(socket, answer(settings, scheduler, user, message));
    socket.end();
    return;
  }
  const job = submit(settings, scheduler, user, message, socket);
  if (job === undefined) return void socket.end();
  for await (const order of readMessages(lines))
    if (/^(?:stdin|stdin-end|signal)$/.test(order.type)) scheduler.order(job, order);
  // An interactive job ends with the command that shows it.
  delete job.client;
  if (job.submission.request.interactive === true && !hasEnded(job)) control(scheduler, job, 'terminate', message);
}

/** Queues the job or the elements of its array; returns the job when the client stays for it. */
function submit(
  settings: Settings,
  scheduler: Scheduler,
  user: JobUser,
  message: Message,
  client: Socket,
): QueuedJob | undefined {
  if (user.uid === 0 && settings.auth === 'munge') throw new CommandError('User permission denied. Job not submitted.');
  const submission = message['submission'] as Submission;
  const { request } = submission;
  const queue = request.queue ?? settings.defaultQueue;
  if (!settings.queues.some(({ name }) => name === queue))
    throw new CommandError(`${queue}: No such queue. Job not submitted.`);
  const array = request.name === undefined ? undefined : parseArrayName(request.name);
  const id = takeNumber(settings);
  const base = {
    id,
    submission,
    user,
    queue,
    submitSeconds: nowSeconds(),
    shares: [],
    waitsForCycle: false,
    isPlaced: false,
    hasStarted: false,
  };
  const stays = message['stays'] === true;
  const status = request.hold === true ? 'PSUSP' : 'PEND';
  const { indices, step = 1, end = 0 } = array ?? { indices: [undefined] };
  const jobs: QueuedJob[] = indices.map((index) => ({
    ...base,
    barredHosts: new Set<string>(),
    array: index === undefined ? undefined : { index, step, end },
    status,
    ...(stays ? { client } : {}),
  }));
  send(client, { type: 'queued', id, queue, isDefault: request.queue === undefined });
  for (const job of jobs) scheduler.add(job);
  return stays ? jobs[0] : undefined;
}

/** The next job number, remembered on disk so that a restarted daemon gives none twice. */
function takeNumber(settings: Settings): number {
  const file = join(settings.workdir, 'last-job');
  let last = 0;
  try {
    last = Number(readFileSync(file, 'utf8'));
  } catch {
    // The first job of this cluster.
  }
  writeFileSync(`${file}.new`, String(last + 1));
  renameSync(`${file}.new`, file);
  return last + 1;
}

function answer(settings: Settings, scheduler: Scheduler, user: JobUser, message: Message): Message {
  switch (message.type) {
    case 'jobs':
      return { type: 'jobs', jobs: scheduler.jobs.map(describeJob), user: user.name };
    case 'hosts':
      return { type: 'hosts', hosts: describeHosts(settings, scheduler) };
    case 'check-task':
      return checkTask(scheduler, message);
    case 'modify':
      return modifyJob(settings, scheduler, user, message);
    case 'control':
      return controlJobs(scheduler, user, message);
    default:
      throw new CommandError('Bad request');
  }
}

function describeHosts(settings: Settings, scheduler: Scheduler): object[] {
  return settings.hosts.map(({ name, slots }) => {
    const used = countUsed(scheduler.jobs, name);
    const on = scheduler.jobs.filter((job) => job.shares.some(({ host }) => host === name));
    const suspended = on.filter(({ status }) => status === 'USUSP').length;
    return { name, slots, used, suspended };
  });
}

/** blaunch: the host must belong to a running job of the caller. */
function checkTask(scheduler: Scheduler, message: Message): Message {
  const job = scheduler.jobs.find((candidate) => nameJob(indexed(candidate)) === textOf(message, 'job'));
  if (job === undefined || hasEnded(job) || job.user.uid !== numberOf(message, 'uid'))
    return { type: 'refused', reason: 'User permission denied' };
  const isAllocated = job.shares.some(({ host }) => host === textOf(message, 'host'));
  return isAllocated ? { type: 'allowed' } : { type: 'refused', reason: 'Host is not in the allocation of the job' };
}

function indexed(job: QueuedJob): { id: number; index: number } {
  return { id: job.id, index: job.array?.index ?? 0 };
}

/** bmod: a job that waits takes the new options; one that has been started keeps its own. */
function modifyJob(settings: Settings, scheduler: Scheduler, user: JobUser, message: Message): Message {
  const name = textOf(message, 'job');
  const found = scheduler.jobs.find((job) => nameJob(indexed(job)) === name || String(job.id) === name);
  if (found === undefined) return { type: 'refused', reason: `Job <${name}>: No matching job found` };
  if (user.uid !== 0 && user.uid !== found.user.uid)
    return { type: 'refused', reason: `Job <${name}>: User permission denied` };
  if (found.isPlaced || hasEnded(found))
    return { type: 'refused', reason: `Job <${name}>: Job has already been started` };
  const changes = message['changes'] as Partial<Submission['request']>;
  const queue = changes.queue ?? found.queue;
  if (!settings.queues.some((each) => each.name === queue))
    return { type: 'refused', reason: `${queue}: No such queue. Job not modified.` };
  found.queue = queue;
  found.submission = { ...found.submission, request: { ...found.submission.request, ...changes } };
  scheduler.dispatch();
  return { type: 'modified' };
}

const doing = { terminate: 'terminated', suspend: 'stopped', resume: 'resumed', signal: 'signaled' } as const;
type Action = keyof typeof doing;

/** Carries out bkill, bstop or bresume on a job, on one element or on all elements of an array; job 0 means all of the caller. */
function controlJobs(scheduler: Scheduler, user: JobUser, message: Message): Message {
  const name = textOf(message, 'job');
  const [, id, index] = /^(\d+)(?:\[(\d+)\])?$/.exec(name) ?? [];
  const mayTouch = (job: QueuedJob): boolean => user.uid === 0 || job.user.uid === user.uid;
  const found = scheduler.jobs.filter((job) =>
    id === '0'
      ? mayTouch(job) && !hasEnded(job)
      : job.id === Number(id) && (index === undefined || job.array?.index === Number(index)),
  );
  if (found.length === 0) return { type: 'refused', reason: `Job <${name}>: No matching job found` };
  if (!found.every(mayTouch)) return { type: 'refused', reason: `Job <${name}>: User permission denied` };
  const alive = found.filter((job) => !hasEnded(job));
  if (alive.length === 0) return { type: 'refused', reason: `Job <${name}>: Job has already finished` };
  const action = textOf(message, 'action') as Action;
  for (const job of alive) control(scheduler, job, action, message);
  const lines = (id === '0' ? alive.map((job) => nameJob(indexed(job))) : [name]).map(
    (job) => `Job <${job}> is being ${doing[action]}`,
  );
  return { type: 'controlled', lines };
}

function control(scheduler: Scheduler, job: QueuedJob, action: Action, message: Message): void {
  const isWaiting = !job.isPlaced;
  // As in the source of the recorded system: only what ends the job reaches its pre-execs, the last of all else waits.
  if (!isWaiting && !job.hasStarted && !isEnding(action, message)) {
    job.held = (): void => control(scheduler, job, action, message);
    return;
  }
  // Its pre-exec may have failed just now, and the job be on its way back to the queue.
  if (!isWaiting && !job.hasStarted)
    job.held = (): void => {
      if (!job.isPlaced) scheduler.cancel(job);
    };
  switch (action) {
    case 'terminate':
      if (isWaiting) scheduler.cancel(job);
      else scheduler.order(job, { type: 'terminate' });
      break;
    case 'signal':
      if (!isWaiting) scheduler.order(job, { type: 'signal', signal: textOf(message, 'signal') });
      else if (/^SIG(?:KILL|TERM|INT)$/.test(textOf(message, 'signal'))) scheduler.cancel(job);
      break;
    case 'suspend':
      if (!isWaiting) scheduler.order(job, { type: 'suspend' });
      job.status = isWaiting ? 'PSUSP' : 'USUSP';
      break;
    case 'resume':
      // Recorded: the job shows SSUSP on its way from USUSP to RUN.
      if (job.status === 'USUSP') job.status = 'SSUSP';
      if (!isWaiting) scheduler.order(job, { type: 'resume' });
      if (job.status === 'PSUSP') job.status = 'PEND';
      scheduler.dispatch();
      break;
  }
}

function isEnding(action: Action, message: Message): boolean {
  return action === 'terminate' || (action === 'signal' && textOf(message, 'signal') === 'SIGKILL');
}
