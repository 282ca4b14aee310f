import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { asClause } from '../values/errors.ts';
import { flushOutput } from '../system/flush-output.ts';
import { unlessAborted } from '../system/deadline.ts';
import { retryUntil } from '../system/retry-until.ts';

const tryEveryMs = 20;

/**
 * Writes all of a stream to the job's pipe, no faster than the command reads; nothing is read before the command is there.
 * Ends the pipe where the stream ends. A command that reads no more ends it quietly. `fail` is told, once, why the command
 * would get less than all; disposing ends it.
 */
export function passInput(path: string, openSource: () => Readable, fail: (reason: string) => void): Disposable {
  const stopped = new AbortController();
  void pass(path, openSource, stopped.signal).catch((error: unknown) => {
    if (!stopped.signal.aborted) fail(asClause(error));
  });
  return { [Symbol.dispose]: () => stopped.abort() };
}

async function pass(path: string, openSource: () => Readable, stopped: AbortSignal): Promise<void> {
  const descriptor = await openPipe(path, stopped);
  if (descriptor === undefined) return;
  const sink = new Socket({ fd: descriptor, readable: false, writable: true });
  const source = openSource();
  const done = Promise.withResolvers<undefined>();
  // Whoever read it has closed it or has ended.
  sink.on('error', () => done.resolve(undefined));
  source.once('end', () => done.resolve(undefined)).once('error', done.reject);
  if (source.errored) done.reject(source.errored);
  if (source.readableEnded) done.resolve(undefined);
  stopped.addEventListener('abort', () => done.resolve(undefined), { once: true });
  source.pipe(sink, { end: false });
  try {
    await done.promise;
    // Not by its end: that is for sockets.
    await unlessAborted(stopped, flushOutput(sink));
  } finally {
    source.unpipe(sink);
    source.destroy(); // or it would keep this process from ending, and its writer from learning that nobody reads
    source.on('error', () => undefined);
    sink.destroy();
  }
}

/** The write end, once the command's side has opened the other one; undefined when stopped before. */
async function openPipe(path: string, stopped: AbortSignal): Promise<number | undefined> {
  const open = (): number | undefined => {
    try {
      return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENXIO') return undefined;
      throw error;
    }
  };
  return await retryUntil(open, { pauseMs: tryEveryMs, signal: stopped });
}
