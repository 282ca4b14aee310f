import { JobError } from '../values/errors.ts';
import { readRegularFileSync } from './read-regular-file.ts';

/** Room for 65,536 slots on hosts of long names. */
const mostBytes = 8 * 1024 * 1024;

/** Text of a file that a variable of the job names, as `readSmallText` reads it. Fails with `ALLOCATION_INVALID`. */
export function readSmallFile(variable: string, path: string): string {
  return readSmallText(path, (reason) => unreadableFile(variable, path, reason));
}

/**
 * Text of at most 8 MiB of a regular file. Read as the user, who may have named any file. Fails with what `refuse` makes
 * of the reason.
 */
export function readSmallText(path: string, refuse: (reason: string) => JobError): string {
  try {
    return readRegularFileSync(path, { mostBytes }).toString();
  } catch (cause) {
    // Its words repeat the path, whose length is the user's choice.
    throw refuse((cause instanceof Error ? cause.message : String(cause)).slice(0, 300));
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
