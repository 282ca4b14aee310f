import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { JobError } from '../values/errors.ts';

/** Room for 65,536 slots on hosts of long names. */
const maxBytes = 8 * 1024 * 1024;

/** Text of a file that a variable of the job names, as `readRegularFile` reads it. Fails with `ALLOCATION_INVALID`. */
export function readSmallFile(variable: string, path: string): string {
  return readRegularFile(path, (reason) => unreadableFile(variable, path, reason));
}

/**
 * Text of at most 8 MiB of a regular file. Read as the user, who may have named any file. Fails with what `refuse` makes
 * of the reason.
 */
export function readRegularFile(path: string, refuse: (reason: string) => JobError): string {
  let descriptor: number | undefined;
  try {
    // Not blocking: a pipe without a writer would hold the job for ever.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw refuse('it is not a regular file');
    if (stats.size > maxBytes) throw refuse('it is longer than 8 MiB');
    const buffer = Buffer.alloc(stats.size);
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read)
      read = readSync(descriptor, buffer, length, buffer.length - length, null);
    return buffer.toString('utf8', 0, length);
  } catch (cause) {
    if (cause instanceof JobError) throw cause;
    throw refuse(cause instanceof Error ? cause.message : String(cause));
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** The file that `variable` names cannot be used, and why. */
export function unreadableFile(variable: string, path: string, reason: string): JobError {
  return new JobError({
    code: 'ALLOCATION_INVALID',
    message: `The job's allocation cannot be read: ${variable} names ${path.slice(0, 200)}, but ${reason}.`,
    hint: 'The scheduler sets this variable; a batch script must not change it.',
  });
}
