import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Scheduler } from '../ports/scheduler.ts';
import { readStart } from '../system/signal-process.ts';
import { asClause, asJobError, JobError } from '../values/errors.ts';

const programName = 'middleware.cjs';

/**
 * `JOB_BUSY` with the process that the caller may wait for or end, where this user runs another call of the same job on this
 * host: one that was started in the background, or outlived the shell that had started it. Any other error is returned as
 * it is. Never fails.
 */
export async function nameOtherCall(
  thrown: unknown,
  job: string,
  scheduler: Pick<Scheduler, 'readAllocation'>,
  processes = '/proc',
): Promise<unknown> {
  const error = asJobError(thrown);
  if (error.code !== 'JOB_BUSY') return thrown;
  const others = await findCalls(processes, job, scheduler).catch(() => []);
  if (others.length === 0) return thrown;
  const [first = ''] = others;
  return new JobError({
    code: 'JOB_BUSY',
    message: `${asClause(error)}: process ${others.join(', ')} on this host.`,
    hint: `One call at a time: wait until it has ended, or end it: kill ${first}. A call in the background, or one whose shell alone was killed, goes on.`,
    cause: error,
  });
}

/** Other processes of this program, of the same user, in the same job, the oldest first. */
async function findCalls(
  processes: string,
  job: string,
  scheduler: Pick<Scheduler, 'readAllocation'>,
): Promise<readonly string[]> {
  const found: { readonly pid: string; readonly since: number }[] = [];
  for (const pid of await readdir(processes)) {
    if (!/^\d+$/.test(pid) || pid === String(process.pid)) continue;
    const directory = `${processes}/${pid}`;
    const words = (await readFile(`${directory}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (!words.some((word) => basename(word) === programName)) continue;
    // Another user's cannot be read.
    const environment = await readFile(`${directory}/environ`, 'utf8').catch(() => '');
    if (jobOf(scheduler, environment) !== job) continue;
    found.push({ pid, since: Number(readStart(directory)) });
  }
  return found.toSorted((one, other) => one.since - other.since).map(({ pid }) => pid);
}

function jobOf(scheduler: Pick<Scheduler, 'readAllocation'>, text: string): string | undefined {
  const pairs = text.split('\0').map((entry): [string, string] => {
    const end = entry.indexOf('=');
    return [entry.slice(0, Math.max(end, 0)), entry.slice(end + 1)];
  });
  try {
    return scheduler.readAllocation(Object.fromEntries(pairs)).job;
  } catch {
    return undefined;
  }
}
