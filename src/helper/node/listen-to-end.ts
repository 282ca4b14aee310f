import { readFileSync } from 'node:fs';
import { JobError } from '../../values/errors.ts';

/** A process that tells its end to whoever listens. */
export interface EndListener extends Disposable {
  /** Aborts with a `JobError` when this process is told to end. */
  readonly told: AbortSignal;
}

const lookEveryMs = 1000;

/**
 * A scheduler's TERM, a hang-up, or the death of the process that has started this one (sudo, as a task of the scheduler):
 * a scheduler that kills the task cannot always reach a process of root's, which then has nobody to work for.
 */
export function listenToEnd(signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']): EndListener {
  const controller = new AbortController();
  const stop = (signal: NodeJS.Signals): void =>
    controller.abort(
      new JobError({
        code: signal === 'SIGINT' ? 'INTERRUPTED' : 'TERMINATED',
        message: `the scheduler ended the job (${signal}).`,
      }),
    );
  for (const signal of signals) process.on(signal, stop);
  const parent = process.ppid;
  const grandparent = parentOf(parent);
  // Between the launcher's start and this line there is time enough to be forsaken.
  if (isForsaken(parent, readStat(parent))) controller.abort(orphaned());
  const timer = setInterval(() => {
    if (process.ppid !== parent || parentOf(parent) !== grandparent) controller.abort(orphaned());
  }, lookEveryMs).unref();
  return {
    told: controller.signal,
    [Symbol.dispose]: () => {
      clearInterval(timer);
      for (const signal of signals) process.removeListener(signal, stop);
    },
  };
}

/** True when this process was told to end by the death of what had started it. */
export function isOrphaned(told: AbortSignal): boolean {
  return told.reason instanceof JobError && told.reason.code === 'NODE_LOST';
}

/**
 * True where whoever has started this process is gone already: its parent, or what sudo was called by, is the first
 * process of the system. A scheduler's own daemon may well be a child of that one. `stat` is the parent's, of the kernel's.
 */
export function isForsaken(parent: number, stat: string): boolean {
  return parent === 1 || (/^\d+ \(sudo\) /.test(stat) && parentIn(stat) === '1');
}

function parentOf(pid: number): string | undefined {
  return parentIn(readStat(pid));
}

/** The name in brackets may hold anything; the state and the parent follow its last bracket. */
function parentIn(stat: string): string | undefined {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
}

/** Empty when there is no such process. A file of the kernel's: reading it waits for nothing. */
function readStat(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return '';
  }
}

export function orphaned(): JobError {
  return new JobError({
    code: 'NODE_LOST',
    message: 'what the scheduler had started on this host was killed.',
    hint: 'Safe to submit again, unless the job was deleted or ran out of a limit.',
  });
}
