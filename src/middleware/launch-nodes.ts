import { execa } from 'execa';
import type { Allocation, Scheduler } from '../ports/scheduler.ts';
import { helperArgv } from './call-helper.ts';

/** The launcher's process: one `run-node` per host. */
export interface Launched {
  /** Resolves with its exit status when it has ended; never rejects. */
  readonly ended: Promise<number>;
  /** The job is open: from now on what comes on standard error is the job's, and is shown. */
  adopt(): void;
  /**
   * Resolves when it has ended. Where every host is done it only has output to deliver, and is given all the time that
   * the reader takes; else it is ended after a while.
   */
  finish(isEveryHostDone: boolean): Promise<void>;
  /** The job was refused: ends the launcher, and with it what waits on the hosts; nothing of it is shown. */
  abandon(): Promise<void>;
}

const abandonGraceMs = 5000;
/** A host that hangs must not hold the job for ever. */
const finishGraceMs = 20_000;

/**
 * Starts `run-node` on every host by the scheduler's launcher; on a single host too, so that the scheduler's signals,
 * suspension and accounting reach it. It may be called before the job is open: the helpers on the hosts wait for the
 * plan, and have started meanwhile. Output is passed on untouched.
 */
export function launchNodes(scheduler: Scheduler, allocation: Allocation, launchId: string): Launched {
  const launch = scheduler.launchOnEveryHost(allocation, helperArgv('run-node', allocation.job, launchId));
  const child = execa(launch.file, [...launch.argv], {
    stdin: 'ignore',
    stdout: 'inherit',
    stderr: 'pipe',
    buffer: false,
    env: launch.environment,
    reject: false,
    cleanup: false,
  });
  const ended = child.then(({ exitCode, isTerminated }) => exitCode ?? (isTerminated ? 143 : 69));
  const abandon = async (): Promise<void> => {
    child.stderr.resume();
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), abandonGraceMs);
    await ended;
    clearTimeout(force);
  };
  return {
    ended,
    adopt: () => void child.stderr.pipe(process.stderr, { end: false }),
    finish: async (isEveryHostDone) => {
      const late = isEveryHostDone ? undefined : setTimeout(() => void abandon(), finishGraceMs);
      await ended;
      clearTimeout(late);
    },
    abandon,
  };
}
