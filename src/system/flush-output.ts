import type { Writable } from 'node:stream';

/**
 * Resolves when all that was written to the stream so far has left this process, or can never leave it since the reader
 * is gone; never rejects. A pipe takes its writes late: `process.exit` would drop what it has not taken yet.
 */
export async function flushOutput(stream: Writable): Promise<void> {
  await new Promise<void>((resolve) => {
    if (stream.destroyed || stream.writableEnded) {
      resolve();
      return;
    }
    stream.once('close', resolve);
    stream.write('', () => resolve());
  });
}

/** What a stream says whose reader has gone: whoever goes does not want the rest. */
const readerGone: readonly unknown[] = ['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED'];

const failures = new WeakMap<NodeJS.WritableStream, string>();
const told = new WeakSet<NodeJS.WritableStream>();

/**
 * A stream whose reader has gone says so by an event, which would end this process before its clean-up. One that cannot be
 * written for another reason, such as a full disk, is remembered: `takeLoss` tells.
 */
export function outliveReaders(...streams: readonly NodeJS.WritableStream[]): void {
  for (const stream of streams) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (!readerGone.includes(error.code)) failures.set(stream, error.message);
    });
  }
}

/** Why the stream has lost what was written to it, told once; undefined when it has not, or its reader did not want it. */
export function takeLoss(stream: NodeJS.WritableStream): string | undefined {
  const reason = told.has(stream) ? undefined : failures.get(stream);
  if (reason !== undefined) told.add(stream);
  return reason;
}
