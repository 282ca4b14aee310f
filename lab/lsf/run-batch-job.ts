/** One job on its first execution host, from eexec to the last post-exec: the stand-in's sbatchd. */
import { basename } from 'node:path';
import { buildJobEnvironment, expandFileName } from './job-environment.ts';
import type { JobOrder } from './job.ts';
import { runOnJobHosts } from './host-hooks.ts';
import { deliverOutput, removeSpool, writeSpool } from './job-spool.ts';
import type { JobSpool } from './job-spool.ts';
import { enforceRunLimit } from './control-job.ts';
import type { ControlledJob } from './control-job.ts';
import { runEexec, runJobHook, runQueueHook } from './run-hooks.ts';
import type { HookRunner } from './run-hooks.ts';
import type { Queue } from './queues.ts';
import type { Settings } from './settings.ts';
import { signalGroup, startProcess } from './start-process.ts';
import type { StartedProcess } from './start-process.ts';
import { StrayList } from './stray-processes.ts';
import type { Message } from './wire.ts';

const preAbortStatus = 99;
/** Of a host whose agent does not answer. */
const downStatus = 1;
const firstSignalStatus = 129;
/** Of a job that bkill ended before it had started, where its pre-exec took the signals for nothing. */
const interruptedStatus = 130;
const bitsBelowStatus = 8;

export type Tell = (message: Message) => void;

export interface BatchJob extends ControlledJob {
  readonly order: JobOrder;
  /** Input for an interactive job; undefined ends it. */
  feed(data: Buffer | undefined): void;
  run(): Promise<void>;
}

interface JobContext {
  readonly settings: Settings;
  readonly order: JobOrder;
  readonly queue: Queue | undefined;
  readonly environment: Readonly<Record<string, string>>;
  readonly runner: HookRunner;
  readonly tell: Tell;
  readonly end: () => void;
  wasLimitKilled: boolean;
  /** The first signal of a bkill. */
  terminatedBy: NodeJS.Signals | undefined;
  readonly hostHooks: Set<(signal: NodeJS.Signals) => void>;
}

/** Prepares a job; `run` takes it through all its phases and tells of each. */
export function prepareBatchJob(settings: Settings, order: JobOrder, tell: Tell): BatchJob {
  const queue = settings.queues.find(({ name }) => name === order.queue);
  const environment = buildJobEnvironment(settings, order);
  const over = new AbortController();
  const strays = new StrayList();
  let current: StartedProcess | undefined;
  const onStart = (started: StartedProcess): void => {
    current = started;
    // It was on its way when the bkill came.
    if (context.terminatedBy !== undefined && !over.signal.aborted) signalGroup(started, context.terminatedBy);
  };
  const runner: HookRunner = { settings, user: order.user, onStart };
  const context: JobContext = {
    ...{ settings, order, queue, environment, runner, tell },
    end: () => over.abort(),
    wasLimitKilled: false,
    terminatedBy: undefined,
    hostHooks: new Set(),
  };
  const slots = order.shares.reduce((sum, share) => sum + share.slots, 0);
  const job: BatchJob = {
    ...{ settings, queue, order, strays },
    isParallel: slots > 1 || order.submission.request.interactive === true,
    ended: over.signal,
    current: () => current,
    hostHooks: context.hostHooks,
    onTerminate: (signal) => void (context.terminatedBy = signal),
    onLimitKill: () => void (context.wasLimitKilled = true),
    runCommand: (text) => runControlCommand(context, text, current),
    feed: (data) => {
      if (data === undefined) current?.child.stdin?.end();
      else current?.child.stdin?.write(data);
    },
    run: () => runPhases(context, job),
  };
  return job;
}

async function runPhases(context: JobContext, job: BatchJob): Promise<void> {
  const { settings, order, tell } = context;
  tell({ type: 'accepted' });
  const last = await takeThroughPhases(context, job).catch((error: unknown): Message => ({
    type: 'failed',
    reason: error instanceof Error ? error.message : String(error),
  }));
  context.end();
  await removeSpool(settings, order);
  // Only now: another host may start the job at once, with files of the same names in the same home.
  if (last !== undefined) tell(last);
}

/** Returns what is left to tell of the job once its files are gone. */
async function takeThroughPhases(context: JobContext, job: BatchJob): Promise<Message | undefined> {
  const { settings, order, tell } = context;
  const spool = await writeSpool(settings, order);
  const refusal = await runBefore(context, spool);
  if (refusal !== undefined) return refusal;
  const status = await runCommand(context, job, spool);
  const isRequeued = context.queue?.requeueValues.includes(status) === true;
  // The end is told first: `bsub -K` may return before the output file is there, as recorded.
  if (!isRequeued) tell({ type: 'ended', status });
  if (!isRequeued) await deliverOutput(settings, order, spool, status);
  await runAfter(context, spool, status, isRequeued);
  return isRequeued ? { type: 'requeued', status } : undefined;
}

/** eexec, the queue's pre-execs, the job's; returns what is to be told of a job that does not start. */
async function runBefore(context: JobContext, spool: JobSpool): Promise<Message | undefined> {
  const { order, queue, runner, environment } = context;
  const { request, eexecData, cwd } = order.submission;
  const { PATH: _path, ...withoutPath } = environment;
  const eexecEnvironment = request.loginShell === undefined ? environment : withoutPath;
  await runEexec(runner, eexecEnvironment, Buffer.from(eexecData, 'base64'));
  if (isStopped(context)) return refuse(context, 'queue');
  const refusal = await runHostPre(context);
  if (refusal !== undefined) return refusal;
  if (queue?.preExec !== undefined) {
    const { HOME: _home, ...homeless } = environment;
    const jobFile = `.lsbatch/${basename(spool.jobFile)}`;
    const hookEnvironment = { ...homeless, LSB_JOBFILENAME: jobFile };
    const status = await runQueueHook(runner, queue.preExec, hookEnvironment, queue.prePostAsRoot);
    if (isStopped(context, status)) return refuse(context, 'queue', status);
  }
  if (request.preExec !== undefined) {
    const status = await runJobHook(runner, request.preExec, { cwd, environment, output: spool.stdout });
    if (isStopped(context, status)) {
      // Nothing more of the job that a signal could be meant for.
      context.end();
      // Recorded: after a bkill at this point no post-exec runs anywhere.
      if (context.terminatedBy === undefined) await runQueuePost(context, status << bitsBelowStatus, true);
      return refuse(context, 'job', status);
    }
  }
  return undefined;
}

/** HOST_PRE_EXEC, before any other pre-exec; where it fails on a host, HOST_POST_EXEC still runs on all. */
async function runHostPre(context: JobContext): Promise<Message | undefined> {
  const { settings, order, queue, environment } = context;
  if (queue?.hostPreExec === undefined || !settings.likeIbm) return undefined;
  const hook = { command: queue.hostPreExec, environment, asRoot: queue.prePostAsRoot };
  const ends = await runOnJobHosts(settings, order, hook, context.hostHooks);
  const failed = ends.map(({ host, status = downStatus }) => ({ host, status })).filter(({ status }) => status !== 0);
  const [first] = failed;
  if (!isStopped(context, first?.status)) return undefined;
  context.end();
  await runHostPost(context, { ...environment, LS_EXEC_T: 'END', LSB_JOBPEND: 'Y' });
  // What cancels the job on one host counts more than what another host lacks.
  const worst = failed.find(({ status }) => status === preAbortStatus) ?? first;
  const alike = failed.filter(({ status }) => status === worst?.status).map(({ host }) => host);
  return refuse(context, 'queue', worst?.status, alike);
}

async function runHostPost(context: JobContext, environment: Readonly<Record<string, string>>): Promise<void> {
  const { settings, order, queue } = context;
  if (queue?.hostPostExec === undefined || !settings.likeIbm) return;
  await runOnJobHosts(settings, order, { command: queue.hostPostExec, environment, asRoot: queue.prePostAsRoot });
}

/** True when a hook's status, or a bkill whatever the status is, keeps the job from starting. */
function isStopped({ terminatedBy }: JobContext, status = 0): boolean {
  return status !== 0 || terminatedBy !== undefined;
}

/** Status 99 cancels the job, death by a signal and a bkill end it; anything else sends it back to the queue. */
function refuse(
  { order, terminatedBy }: JobContext,
  level: 'queue' | 'job',
  status = 0,
  hosts: readonly string[] = order.shares.slice(0, 1).map(({ host }) => host),
): Message {
  if (terminatedBy !== undefined) return { type: 'ended', status: status === 0 ? interruptedStatus : status };
  if (status === preAbortStatus || status >= firstSignalStatus) return { type: 'ended', status };
  return { type: 'pre-failed', level, status, hosts };
}

async function runCommand(context: JobContext, job: BatchJob, spool: JobSpool): Promise<number> {
  const { settings, order, environment, runner, tell } = context;
  const { request, cwd } = order.submission;
  const isInteractive = request.interactive === true;
  const stdin = request.inFile === undefined ? '/dev/null' : expandFileName(request.inFile, order);
  const started = await startProcess(settings, order.user, {
    argv:
      request.loginShell === undefined
        ? ['/bin/sh', spool.jobFile]
        : [request.loginShell, '-l', '-c', 'exec /bin/sh "$0"', spool.jobFile],
    cwd,
    environment,
    ...(isInteractive ? {} : { stdin, stdout: spool.stdout, stderr: spool.stderr }),
  });
  if (isInteractive) passOutput(started, tell);
  await started.ready;
  runner.onStart(started);
  tell({ type: 'started', pid: started.child.pid });
  job.strays.follow(started, settings.lookMs, job.ended);
  const limit = request.runLimitSeconds === undefined ? context.queue?.runLimit : request.runLimitSeconds / 60;
  if (limit !== undefined) void enforceRunLimit(job, limit * settings.minuteMs);
  const { status, wasKilled } = await started.ended;
  context.end();
  // Recorded: a job that its run limit had to KILL is reported as done.
  return wasKilled && context.wasLimitKilled ? 0 : status;
}

function passOutput({ child }: StartedProcess, tell: Tell): void {
  child.stdout?.on('data', (data: Buffer) => tell({ type: 'stdout', data: data.toString('base64') }));
  child.stderr?.on('data', (data: Buffer) => tell({ type: 'stderr', data: data.toString('base64') }));
}

/** eexec again, the job's post-exec, the queue's; none of them changes the job's status. */
async function runAfter(context: JobContext, spool: JobSpool, status: number, isRequeued: boolean): Promise<void> {
  const { order, environment, runner } = context;
  const { request, cwd } = order.submission;
  const waitStatus = status << bitsBelowStatus;
  const after = { ...environment, LS_EXEC_T: 'END', LSB_JOBEXIT_STAT: String(waitStatus) };
  await runEexec(runner, after);
  if (request.postExec !== undefined)
    await runJobHook(runner, request.postExec, { cwd, environment: after, output: spool.stdout });
  await runQueuePost(context, waitStatus, isRequeued);
}

async function runQueuePost(context: JobContext, waitStatus: number, isRequeued: boolean): Promise<void> {
  const { queue, runner, environment } = context;
  if (queue === undefined) return;
  const after = {
    ...environment,
    LS_EXEC_T: 'END',
    LSB_JOBEXIT_STAT: String(waitStatus),
    ...(isRequeued ? { LSB_JOBPEND: 'Y' } : {}),
  };
  if (queue.postExec !== undefined) await runQueueHook(runner, queue.postExec, after, queue.prePostAsRoot);
  // As with the host's own post-exec: its status is ignored.
  await runHostPost(context, after);
}

async function runControlCommand(context: JobContext, text: string, current?: StartedProcess): Promise<void> {
  const { settings, order, environment } = context;
  const group = String(current?.child.pid ?? '');
  const started = await startProcess(settings, order.user, {
    argv: ['/bin/sh', '-c', text],
    cwd: order.submission.cwd,
    environment: {
      ...environment,
      LS_EXEC_T: 'JOB_CONTROLS',
      LSB_JOBPGIDS: group,
      LSB_JOBPIDS: group,
      LSB_SUSP_REASONS: '2',
    },
    ...{ stdin: '/dev/null', stdout: '/dev/null', stderr: '/dev/null' },
  });
  await started.ended;
}
