import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { asClause, JobError } from '../values/errors.ts';
import type { HelperEvent } from '../contract/helper-events.ts';
import { helperEventSchema } from '../contract/helper-events.ts';
import { toJsonLine } from '../values/json-line.ts';
import type { JobRequest } from '../contract/job-request.ts';
import { findLostRoot } from '../system/lost-root.ts';
import { findJsonAs } from '../values/parse-json-as.ts';

/** The running `open-job`: its events, and the orders that it takes. Closing its input releases the job. */
export interface HelperSession {
  /** Ends after the last event; fails with `HELPER_UNAVAILABLE` when the helper ends without a last word. */
  readonly events: AsyncIterable<HelperEvent>;
  order(order: Readonly<Record<string, unknown>>): void;
}

/** Command line by which the helper is called; through sudo unless we are root (then the helper itself refuses). */
export function helperArgv(verb: string, ...rest: readonly string[]): readonly [string, ...string[]] {
  return ['/usr/bin/sudo', '-n', '--', helperPath(), verb, ...rest];
}

/** As the sudo rule names it: `<prefix>/bin/…` of an installation by npm, else beside this program. */
export function helperPath(): string {
  const packageDirectory = resolve(dirname(process.argv[1] ?? ''), '..');
  const installed = resolve(packageDirectory, '../../../bin/hpc-dockerjob-helper');
  return existsSync(installed) ? installed : resolve(packageDirectory, 'bin/hpc-dockerjob-helper');
}

/** Starts `open-job` with the request as its first line. */
export function openJob(request: JobRequest): HelperSession {
  const [file, ...argv] = helperArgv('open-job');
  // No deadline here: the helper stays as long as the job. It has deadlines of its own for every phase.
  const child = execa(file, argv, {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    buffer: { stdout: false, stderr: true },
    maxBuffer: 64 * 1024,
    reject: false,
    cleanup: false,
    // Batch systems signal the process group of the script, and end it by KILL: the keeper hears by its input what is meant for
    // it, and has to take the job away when its caller was killed.
    detached: true,
  });
  child.stdin.on('error', () => undefined); // it has ended: its events say why
  child.stdin.write(toJsonLine(request));
  return {
    events: readEvents(child),
    order: (order) => {
      if (child.stdin.writable) child.stdin.write(toJsonLine(order));
    },
  };
}

interface HelperEnd {
  readonly stderr: unknown;
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
}

/** What is read of a helper. */
export interface HelperProcess extends PromiseLike<HelperEnd> {
  readonly stdout: NodeJS.ReadableStream;
}

/** The helper's events, one a line. Fails with `HELPER_UNAVAILABLE` before the first, with `HELPER_LOST` afterwards and when it was killed. */
export async function* readEvents(child: HelperProcess): AsyncGenerator<HelperEvent> {
  let last: HelperEvent['event'] | undefined;
  for await (const line of createInterface({ input: child.stdout, crlfDelay: Infinity })) {
    const event = findJsonAs(helperEventSchema, line);
    if (event === undefined) {
      const said = `it said "${line.slice(0, 200)}"`;
      throw last === undefined ? unavailable(said) : keeperDied(said);
    }
    yield event;
    last = event.event;
    if (last === 'released' || last === 'refused') return;
  }
  const { stderr, exitCode, signal } = await child;
  const said = String(stderr).trim().split('\n').slice(-3).join(' ');
  const killer = signal ?? signalOfStatus(exitCode);
  const ending =
    said || (killer === undefined ? `it ended with status ${exitCode ?? '?'}` : `it was killed (${killer})`);
  if (last !== undefined) throw keeperDied(ending);
  if (killer !== undefined) throw killedEarly(killer);
  throw findLostRoot() ?? unavailable(ending);
}

/** sudo, and a shell before it, may tell of a signal by a status. */
function signalOfStatus(status: number | undefined): string | undefined {
  return status === 137 ? 'SIGKILL' : status === 143 ? 'SIGTERM' : undefined;
}

function keeperDied(detail: string): JobError {
  return new JobError({
    code: 'HELPER_LOST',
    message: `The helper that kept the job has died: ${asClause(detail)}.`,
    hint: 'The hosts end the job when its lease runs out, and the epilogs remove what is left. Submit it again.',
  });
}

/** It could be used, so the host is well: somebody has ended it. */
function killedEarly(signal: string): JobError {
  return new JobError({
    code: 'HELPER_LOST',
    message: `The helper was killed (${signal}) before the job was open; nothing of it has run.`,
    hint: 'Submit it again.',
  });
}

function unavailable(detail: string): JobError {
  return new JobError({
    code: 'HELPER_UNAVAILABLE',
    message: `The helper could not be used on this host: ${asClause(detail)}.`,
    hint: 'Ask the administrators to run hpc-dockerjob-setup here (it installs the sudo rule).',
  });
}
