import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { JobError } from '../values/errors.ts';

/**
 * The read end of a named pipe, once somebody has opened the other one: then its end of file is theirs, and not for want of
 * a writer. A command may have it as it is: its reads wait. Fails with the reason of `over`, or with `NODE_LATE`.
 */
export async function openInput(path: string, over: AbortSignal, deadlineMs: number): Promise<FileHandle> {
  over.throwIfAborted();
  const opening = open(path, 'r'); // a thread of ours waits for the writer
  const givenUp = AbortSignal.any([over, AbortSignal.timeout(deadlineMs)]);
  const settled = Promise.allSettled([opening]);
  const aborted = new Promise<'aborted'>((resolve) =>
    givenUp.addEventListener('abort', () => resolve('aborted'), { once: true }),
  );
  const first = await Promise.race([settled, aborted]);
  if (first !== 'aborted') return await opening;
  await releaseReader(path, settled);
  await opening.then(async (handle) => await handle.close()).catch(() => undefined);
  over.throwIfAborted();
  throw new JobError({
    code: 'NODE_LATE',
    message: `hpc-submit-dockerjob has not given the command its standard input within ${deadlineMs / 1000} s.`,
    hint: 'Submit the job again; --no-stdin starts the command with an empty one.',
  });
}

const tryEveryMs = 10;

/** Plays the writer for a moment, or the thread would wait for one for ever, and keep this process from ending. */
async function releaseReader(path: string, settled: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  void settled.then(() => done.abort());
  while (!done.signal.aborted) {
    // Refused until the thread has come to its wait.
    const writer = await open(path, constants.O_WRONLY | constants.O_NONBLOCK).catch(() => undefined);
    await writer?.close();
    await pause(tryEveryMs);
  }
}
