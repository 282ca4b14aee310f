import { spawn } from 'node:child_process';
import { accessSync, constants as fileConstants } from 'node:fs';
import { constants } from 'node:os';
import { JobError } from '../../values/errors.ts';
import { explainFailedStart } from './explain-failed-start.ts';

type Environment = Readonly<Record<string, string>>;

const shells = ['/bin/bash', '/bin/sh'];

/** The shell of whoever names no program. Fails with `IMAGE_UNUSABLE` when the image has none. */
export function findShell(candidates: readonly string[] = shells): string {
  const found = candidates.find(isExecutable);
  if (found !== undefined) return found;
  throw new JobError({
    code: 'IMAGE_UNUSABLE',
    message: `The image has no usable shell: neither ${candidates.join(' nor ')}.`,
    hint: 'Name a program of the image: hpc-submit-dockerjob shell JOB -- PROGRAM.',
  });
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, fileConstants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What a terminal sends to all of its foreground: meant for what was started, which this process waits for. */
const ofTerminal = ['SIGINT', 'SIGQUIT', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU', 'SIGHUP', 'SIGTERM'] as const;

/**
 * Runs the program with this process's own terminal, or pipes, in its session and group, so that the terminal's keys reach
 * it; every signal is at its default there. Resolves to its exit status: 128 + n for a signal, 127 not found, 126 not
 * executable, which it says as a shell would.
 */
export async function runEntered([file = '', ...argv]: readonly string[], environment: Environment): Promise<number> {
  for (const signal of ofTerminal) process.on(signal, () => undefined);
  const { promise, resolve } = Promise.withResolvers<number>();
  const child = spawn(file, argv, { env: environment, stdio: 'inherit' });
  child.once('error', (error: NodeJS.ErrnoException) => {
    const { exitStatus, reason } = explainFailedStart(file, error, environment);
    process.stderr.write(`hpc-submit-dockerjob: cannot run ${JSON.stringify(file)}: ${reason}.\n`);
    resolve(exitStatus);
  });
  child.once('exit', (status, signal) => resolve(status ?? 128 + constants.signals[signal ?? 'SIGKILL']));
  return await promise;
}
