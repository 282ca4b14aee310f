import { JobError } from '../../values/errors.ts';

const reasons: Record<string, string> = {
  ENOENT: 'it does not exist inside the container',
  ENOTDIR: 'it is not a directory',
  EACCES: 'its user may not enter it',
  ELOOP: 'it has too many symbolic links',
};

/** Makes the job's directory the current one, as the user whose rights decide; fails with `WORKDIR_UNUSABLE`. */
export function enterWorkdir(workdir: string): void {
  try {
    process.chdir(workdir);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw new JobError({
      code: 'WORKDIR_UNUSABLE',
      message: `The working directory ${workdir} cannot be used: ${reasons[code] ?? message}.`,
      hint: 'Choose a directory below one of the mounts of this site.',
      cause: error,
    });
  }
}
