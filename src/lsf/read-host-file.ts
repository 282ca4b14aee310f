import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { AllocatedHost } from '../ports/scheduler.ts';
import { JobError } from '../shared/errors.ts';

/** Room for 65,536 slots on hosts of long names. */
const maxBytes = 8 * 1024 * 1024;

/**
 * The file of `LSB_DJOB_HOSTFILE`: one line for each slot, or with a number of slots behind the name. Read as the user,
 * who may have named any file: at most 8 MiB of a regular one. Fails with `ALLOCATION_INVALID`.
 */
export function readHostFile(path: string): readonly AllocatedHost[] {
  return readSmallFile('LSB_DJOB_HOSTFILE', path)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name, count] = /^(\S+)(?:\s+([1-9][0-9]{0,4}))?$/.exec(line) ?? [];
      if (name === undefined) throw unreadable('LSB_DJOB_HOSTFILE', path, `it holds the line "${line.slice(0, 80)}"`);
      return { name, slots: Number(count ?? 1) };
    });
}

/** Text of a small regular file that a variable names. Fails with `ALLOCATION_INVALID`. */
export function readSmallFile(variable: string, path: string): string {
  let descriptor: number | undefined;
  try {
    // Not blocking: a pipe without a writer would hold the job for ever.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw unreadable(variable, path, 'it is not a regular file');
    if (stats.size > maxBytes) throw unreadable(variable, path, 'it is longer than 8 MiB');
    const buffer = Buffer.alloc(stats.size);
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read)
      read = readSync(descriptor, buffer, length, buffer.length - length, null);
    return buffer.toString('utf8', 0, length);
  } catch (cause) {
    if (cause instanceof JobError) throw cause;
    throw unreadable(variable, path, cause instanceof Error ? cause.message : String(cause));
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function unreadable(variable: string, path: string, reason: string): JobError {
  return new JobError({
    code: 'ALLOCATION_INVALID',
    message: `The job's allocation cannot be read: ${variable} names ${path.slice(0, 200)}, but ${reason}.`,
    hint: 'LSF sets this variable; a batch script must not change it.',
  });
}
