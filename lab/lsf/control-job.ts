/** Signals to a running job: cancel, suspend, resume, the run limit; in the recorded order and at the recorded times. */
import { setTimeout as pause } from 'node:timers/promises';
import type { JobControl, Queue } from './queues.ts';
import type { Settings } from './settings.ts';
import type { StrayList } from './stray-processes.ts';
import { signalGroup } from './start-process.ts';
import type { StartedProcess } from './start-process.ts';

/** What the controls of one job act on. */
export interface ControlledJob {
  readonly settings: Settings;
  readonly queue: Queue | undefined;
  /** Parallel and interactive jobs are suspended by a signal that they may catch. */
  readonly isParallel: boolean;
  /** The process that runs now. */
  current(): StartedProcess | undefined;
  /** Processes of the job that have left its group, as far as they were seen. */
  readonly strays: StrayList;
  /** Runs a command of JOB_CONTROLS beside the job. */
  runCommand(text: string): Promise<void>;
  /** Aborted when the job has ended: nothing is sent after that. */
  readonly ended: AbortSignal;
  /** Ways to the hooks that run on other hosts. */
  readonly hostHooks: ReadonlySet<(signal: NodeJS.Signals) => void>;
  /** Told of a bkill, with its first signal: a job that has not started by then does not start any more. */
  onTerminate(signal: NodeJS.Signals): void;
  /** Told when the run limit is about to end in SIGKILL. */
  onLimitKill(): void;
}

/** bkill: CONT and INT, later TERM, later KILL; or what the queue's TERMINATE says, once. */
export async function terminateJob(job: ControlledJob): Promise<void> {
  job.onTerminate('SIGINT');
  if (await act(job, job.queue?.controls.TERMINATE)) return;
  sendSignal(job, 'SIGCONT');
  sendSignal(job, 'SIGINT');
  await escalate(job);
}

/** bkill -s: that signal, once. Recorded: a queue's TERMINATE takes the place of KILL, too. */
export async function sendOneSignal(job: ControlledJob, signal: NodeJS.Signals): Promise<void> {
  if (signal === 'SIGKILL') job.onTerminate(signal);
  if (signal === 'SIGKILL' && (await act(job, job.queue?.controls.TERMINATE))) return;
  sendSignal(job, signal);
}

/** bstop: SIGSTOP for one slot, SIGTSTP for more; or the queue's SUSPEND. */
export async function suspendJob(job: ControlledJob): Promise<void> {
  if (await act(job, job.queue?.controls.SUSPEND)) return;
  sendSignal(job, job.isParallel ? 'SIGTSTP' : 'SIGSTOP');
}

/** bresume: SIGCONT, or the queue's RESUME. */
export async function resumeJob(job: ControlledJob): Promise<void> {
  if (!(await act(job, job.queue?.controls.RESUME))) sendSignal(job, 'SIGCONT');
}

/** Waits for the run limit, then warns by USR2 and ends the job after the time of grace; a TERMINATE action gives none. */
export async function enforceRunLimit(job: ControlledJob, limitMs: number): Promise<void> {
  const { settings, ended } = job;
  if (!(await waitFor(limitMs, ended))) return;
  if (await act(job, job.queue?.controls.TERMINATE)) return;
  sendSignal(job, 'SIGUSR2');
  if (!(await waitFor(settings.warnTimeMs, ended))) return;
  sendSignal(job, 'SIGCONT');
  sendSignal(job, 'SIGINT');
  await escalate(job, () => job.onLimitKill());
}

/** TERM and KILL, each after its pause. */
async function escalate(job: ControlledJob, beforeKill: () => void = () => undefined): Promise<void> {
  if (!(await waitFor(job.settings.terminateIntervalMs, job.ended))) return;
  sendSignal(job, 'SIGTERM');
  if (!(await waitFor(job.settings.terminateIntervalMs, job.ended))) return;
  beforeKill();
  sendSignal(job, 'SIGKILL');
}

async function act(job: ControlledJob, control: JobControl | undefined): Promise<boolean> {
  if (control === undefined) return false;
  if (control.kind === 'signal') sendSignal(job, control.signal);
  else await job.runCommand(control.text);
  return true;
}

function sendSignal(job: ControlledJob, signal: NodeJS.Signals): void {
  if (job.ended.aborted) return;
  const process = job.current();
  if (process !== undefined) signalGroup(process, signal);
  for (const pass of job.hostHooks) pass(signal);
  job.strays.signal(signal);
}

async function waitFor(milliseconds: number, ended: AbortSignal): Promise<boolean> {
  return await pause(milliseconds, true, { signal: ended, ref: false }).catch(() => false);
}
