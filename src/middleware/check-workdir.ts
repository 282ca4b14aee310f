import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { JobError } from '../values/errors.ts';
import { showWord } from '../values/one-line.ts';

/**
 * Says early, as the user, what would fail late in the container: the workdir must be a directory that this user
 * owns or may at least write to. Whether containers see it is the policy's affair.
 */
export async function checkWorkdir(path: string, uid: number): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    const reason =
      code === 'ENOENT'
        ? 'does not exist'
        : code === 'EACCES'
          ? 'may not be entered by you'
          : `cannot be used (${code})`;
    throw refused(path, reason);
  });
  if (!found.isDirectory()) throw refused(path, 'is not a directory');
  if (found.uid === uid) return;
  await access(path, constants.W_OK | constants.X_OK).catch(() => {
    throw refused(path, `is not yours (it belongs to uid ${found.uid}) and you may not write to it`);
  });
}

/** Where this program was called. Fails with `WORKDIR_UNUSABLE` when that directory is there no more. */
export function currentDirectory(ask: () => string = () => process.cwd()): string {
  try {
    return ask();
  } catch (cause) {
    throw new JobError({
      code: 'WORKDIR_UNUSABLE',
      message:
        'The directory in which hpc-submit-dockerjob was called has been removed, or cannot be reached any more.',
      hint: 'Call it in a directory that exists, even if JOBDIR (or --workdir) names another one.',
      cause,
    });
  }
}

function refused(path: string, reason: string): JobError {
  return new JobError({
    code: 'WORKDIR_UNUSABLE',
    message: `The working directory ${showWord(path)} ${reason}.`,
    hint: 'Set JOBDIR (or --workdir) to a directory of yours on the cluster file system.',
  });
}
