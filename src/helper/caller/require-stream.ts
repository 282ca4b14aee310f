import { fstatSync } from 'node:fs';
import { isatty } from 'node:tty';
import { JobError } from '../../values/errors.ts';

/** Linux: major 1, minor 3. */
const nullDevice = 0x103;

/**
 * Makes sure that reading from the open file can never hang in the kernel: it is a pipe, a socket, a terminal or /dev/null,
 * on which Node waits for data without a read. All else is read by a thread, on a file system or a device that a user may
 * have made: one that never answers would hold this process of root's for ever, since it cannot end before its threads.
 * Fails with `USAGE`.
 */
export function requireStream(descriptor: number): void {
  if (isStream(descriptor)) return;
  throw new JobError({
    code: 'USAGE',
    message: 'Standard input is a file, a directory or a device. The helper reads from a pipe or a socket only.',
    hint: 'Run hpc-submit-dockerjob, which calls the helper; by hand: … | sudo hpc-dockerjob-helper VERB, or </dev/null.',
  });
}

function isStream(descriptor: number): boolean {
  try {
    const stats = fstatSync(descriptor);
    return (
      stats.isFIFO() ||
      stats.isSocket() ||
      isatty(descriptor) ||
      (stats.isCharacterDevice() && stats.rdev === nullDevice)
    );
  } catch {
    return false; // not open, or root may not even look at it
  }
}
