import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { JobError } from '../../values/errors.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { readProcess } from './read-process.ts';
import { retryUntil } from '../../system/retry-until.ts';

/** Root's alone, and gone after a start of the host. Not below the jobs' directory: an epilog looks whether that is empty. */
const usualDirectory = '/run/hpc-dockerjob-reaping';
const lookEveryMs = 200;
/** A release that lasts longer hangs, and its job has to wait for another try. */
const usualDeadlineMs = 15_000;

/**
 * Until disposed, a start of this job on this host waits. To be set before the scheduler is asked whether the job is over:
 * one that waits to be started again may start at any moment, and a start that this mark does not stop is known to the
 * scheduler by then.
 */
export async function markReaping(job: JobKey, directory = usualDirectory): Promise<AsyncDisposable> {
  const own = await readProcess('self');
  if (own === undefined) throw new Error('This process is not to be found in /proc.');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = `${directory}/${job}-${own.pid}-${own.startTicks}`;
  await writeFile(file, '', { mode: 0o600 });
  return { [Symbol.asyncDispose]: async () => await rm(file, { force: true }) };
}

/** Waits while what an earlier run of this job has left is taken away here. Fails with `JOB_BUSY` when that does not end. */
export async function awaitReapers(
  job: JobKey,
  deadlineMs = usualDeadlineMs,
  directory = usualDirectory,
): Promise<void> {
  const isFree = async (): Promise<true | undefined> => ((await isReaped(job, directory)) ? undefined : true);
  if (await retryUntil(isFree, { pauseMs: lookEveryMs, deadlineMs })) return;
  throw new JobError({
    code: 'JOB_BUSY',
    message: `What an earlier run of job ${job} left on this host is still being removed.`,
    hint: 'Submit the job again in a moment.',
  });
}

async function isReaped(job: JobKey, directory: string): Promise<boolean> {
  for (const name of await readdir(directory).catch(() => [])) {
    const [, reaped, pid, startTicks] = /^(.+)-(\d{1,10})-(\d{1,20})$/.exec(name) ?? [];
    if (reaped !== job || pid === undefined) continue;
    // One that was killed has left its mark.
    if ((await readProcess(Number(pid)))?.startTicks === startTicks) return true;
    await rm(`${directory}/${name}`, { force: true });
  }
  return false;
}
