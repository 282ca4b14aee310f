import { mkdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { JobError } from '../../values/errors.ts';

export interface ApplicationHostfile {
  readonly workdir: string;
  /** Path below the workdir, as the application wants it (`system/machines`). */
  readonly name: string;
  readonly job: string;
  readonly text: string;
}

const markOfAnyJob = '# written by hpc-submit-dockerjob';

/**
 * Puts the host file where the application looks for it and returns what takes it away again. A file of the user's in
 * that place is kept as `<name>.before-<job>` meanwhile. Links on the way are the user's own affair: all of this
 * happens inside the container with the user's rights. Fails with `WORKDIR_UNUSABLE`.
 */
export async function placeApplicationHostfile(wanted: ApplicationHostfile): Promise<() => Promise<void>> {
  const file = path.join(wanted.workdir, wanted.name);
  const mark = `${markOfAnyJob} for job ${wanted.job}\n`;
  const kept = `${file}.before-${wanted.job}`;
  const unfinished = `${file}.new-${wanted.job}`;
  let firstMade: string | undefined;
  try {
    firstMade = await mkdir(path.dirname(file), { recursive: true });
    const found = await readIfThere(file);
    const isForeign = found !== undefined && !found.startsWith(markOfAnyJob);
    await writeAnew(unfinished, mark + wanted.text);
    if (isForeign) await rename(file, kept);
    // Readers on other hosts see the old file or the new one, never half of it.
    await rename(unfinished, file);
    return () => takeAway({ file, mark, kept, firstMade });
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => undefined);
    await takeAway({ file, mark, kept, firstMade }).catch(() => undefined);
    throw new JobError({
      code: 'WORKDIR_UNUSABLE',
      message: `The application's host file ${file} cannot be written: ${(error as Error).message}.`,
      hint: 'The working directory must be writable for this application.',
      cause: error,
    });
  }
}

interface Placed {
  readonly file: string;
  readonly mark: string;
  readonly kept: string;
  readonly firstMade: string | undefined;
}

async function takeAway({ file, mark, kept, firstMade }: Placed): Promise<void> {
  const found = await readIfThere(file);
  // Somebody wrote another one meanwhile: theirs stays, and so does the one that was kept.
  if (found !== undefined && !found.startsWith(mark)) return;
  await rm(file, { force: true });
  // Also one that an earlier run of the same job kept before it was killed.
  await rename(kept, file).catch(ignoreAbsence);
  if (firstMade === undefined) return;
  for (let directory = path.dirname(file); directory.startsWith(firstMade); directory = path.dirname(directory)) {
    await rmdir(directory).catch(() => undefined); // not empty: the application uses it
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function ignoreAbsence(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}

async function writeAnew(file: string, text: string): Promise<void> {
  await rm(file, { force: true }); // left by an earlier run of the same job that was killed
  await writeFile(file, text, { flag: 'wx', mode: 0o644 });
}
