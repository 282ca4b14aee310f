import { execa } from 'execa';
import type { Allocation, Scheduler } from '../ports/scheduler.ts';
import { helperArgv } from './call-helper.ts';

/** The launcher's process: one `run-node` per host. */
export interface Launched {
  /** Resolves with its exit status when it has ended; never rejects. */
  readonly ended: Promise<number>;
  /** For the job's program; the launcher passes it on to every host. */
  signal(signal: NodeJS.Signals): void;
}

/** Starts `run-node` on every host by the scheduler's launcher; on a single host directly. Output is inherited untouched. */
export function launchNodes(scheduler: Scheduler, allocation: Allocation): Launched {
  const argv = helperArgv('run-node', allocation.job);
  const launch =
    allocation.hosts.length === 1
      ? { file: argv[0], argv: argv.slice(1), environment: {} }
      : scheduler.launchOnEveryHost(allocation, argv);
  const child = execa(launch.file, [...launch.argv], {
    stdin: 'ignore',
    stdout: 'inherit',
    stderr: 'inherit',
    env: launch.environment,
    reject: false,
    cleanup: false,
  });
  return {
    ended: child.then(({ exitCode, isTerminated }) => exitCode ?? (isTerminated ? 143 : 69)),
    signal: (signal) => void child.kill(signal),
  };
}
