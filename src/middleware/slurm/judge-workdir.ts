import { stat } from 'node:fs/promises';
import type { DecidedMount } from '../../policy/decide-mounts.ts';
import { asClause } from '../../values/errors.ts';
import { checkWorkdir } from '../check-workdir.ts';

export interface WorkdirFacts {
  readonly mounts: readonly DecidedMount[];
  readonly uid: number;
  /** True when nothing runs before the call that could still make the directory. */
  readonly isSure: boolean;
}

/**
 * Looks at the workdir as a run does, where this host has the file system that it is on. Fails as a run fails, unless a
 * directory that is not there yet may be there in time: then the user is told.
 */
export async function judgeWorkdir(
  workdir: string,
  { mounts, uid, isSure }: WorkdirFacts,
): Promise<{ readonly note?: string }> {
  const holder = mounts.find(({ target }) => workdir === target || workdir.startsWith(`${target}/`));
  // Root asks for somebody else: it may enter what the user may not.
  if (holder === undefined || holder.source !== holder.target || uid !== process.getuid?.()) return {};
  const isHere = await stat(holder.source).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isHere) return {};
  const isMissing = await stat(workdir).then(
    () => false,
    (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ENOENT',
  );
  try {
    await checkWorkdir(workdir, uid);
    return {};
  } catch (thrown) {
    if (isSure || !isMissing) throw thrown;
    return { note: `${asClause(thrown)} yet; the job needs it when it starts` };
  }
}
