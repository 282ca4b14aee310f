/** Starts programs on the machine and inside hosts, always inside the lab's cgroups. */
import { execa, ExecaError } from 'execa';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { LabError } from './lab-error.ts';
import { patient } from './patience.ts';

const joinScript = fileURLToPath(new URL('join-cgroups.sh', import.meta.url));
const defaultTimeoutMs = 120_000;
const shownOutputLength = 2_000;

/** The argument vector that runs `argv` inside the given cgroups. */
export function inCgroups(directories: readonly string[], argv: readonly string[]): string[] {
  return ['sh', joinScript, ...directories, '--', ...argv];
}

export interface RunOptions {
  readonly cgroups: readonly string[];
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  readonly timeoutMs?: number;
  /** What a failure calls the command; the argument vector unless told. */
  readonly shownAs?: string;
}

/** Runs a program to its end and returns its standard output; fails with its last words when its status is not 0. */
export async function run(argv: readonly string[], options: RunOptions): Promise<string> {
  const [file, ...args] = options.cgroups.length > 0 ? inCgroups(options.cgroups, argv) : argv;
  if (file === undefined) throw new LabError('There is no command to run.');
  const timeoutMs = patient(options.timeoutMs ?? defaultTimeoutMs);
  const execaOptions = {
    timeout: timeoutMs,
    input: options.input ?? '',
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
  };
  try {
    const { stdout } = await execa(file, args, execaOptions);
    return stdout;
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error;
    const words = [error.stderr, error.stdout].join('\n').trim().slice(-shownOutputLength);
    const ending = error.timedOut
      ? `took longer than ${timeoutMs} ms`
      : `failed (${error.exitCode ?? error.signal ?? 'not started'})`;
    throw new LabError(
      `\`${options.shownAs ?? argv.join(' ')}\` ${ending}: ${words || error.shortMessage}`,
      undefined,
      error,
    );
  }
}

/** Starts a program that outlives this command, its output going to a log file. */
export async function startDetached(argv: readonly string[], logFile: string): Promise<void> {
  const log = openSync(logFile, 'a', 0o600);
  try {
    const [file = '', ...args] = argv;
    const child = spawn(file, args, { stdio: ['ignore', log, log] });
    const [status] = (await once(child, 'exit')) as [number | null];
    if (status !== 0)
      throw new LabError(`\`${argv.join(' ')}\` could not be started (${status ?? 'killed'}).`, `See ${logFile}.`);
  } finally {
    closeSync(log);
  }
}
