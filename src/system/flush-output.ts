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

/** A stream whose reader has gone says so by an event, which would end this process before its clean-up. */
export function outliveReaders(...streams: readonly NodeJS.WritableStream[]): void {
  for (const stream of streams) stream.on('error', () => undefined);
}
