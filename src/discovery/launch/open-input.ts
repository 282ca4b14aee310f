import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { JobError } from '../../values/errors.ts';
import { unlessAborted, within } from '../../system/deadline.ts';
import { retryUntil } from '../../system/retry-until.ts';

/**
 * The read end of a named pipe, once somebody has opened the other one: then its end of file is theirs, and not for want of
 * a writer. A command may have it as it is: its reads wait. Fails with the reason of `over`, or with `NODE_LATE`.
 */
export async function openInput(path: string, over: AbortSignal, deadlineMs: number): Promise<FileHandle> {
  over.throwIfAborted();
  const opening = open(path, 'r'); // a thread of ours waits for the writer
  const settled = Promise.allSettled([opening]);
  const isSettled = await within(deadlineMs, unlessAborted(over, settled), undefined);
  if (isSettled !== undefined) return await opening;
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
  const playWriter = async (): Promise<true | undefined> => {
    // Refused until the thread has come to its wait.
    const writer = await open(path, constants.O_WRONLY | constants.O_NONBLOCK).catch(() => undefined);
    await writer?.close();
    return await within(
      tryEveryMs,
      settled.then(() => true),
      undefined,
    );
  };
  await retryUntil(playWriter, { pauseMs: 0 });
}
