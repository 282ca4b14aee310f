import { basename } from 'node:path';
import { splitSimpleCommand } from './split-simple-command.ts';
import type { SlurmSubmission } from './submission.ts';

/** A call of the middleware that is the whole job: nothing runs before it. */
export interface OwnCall {
  /** Its options and what stands behind `--`. */
  readonly words: readonly string[];
  /** `NAME=VALUE` words in front of it. */
  readonly assignments: readonly string[];
}

const ownNames: readonly string[] = ['hpc-submit-dockerjob', 'hpc_submit_dockerjob'];
const assignment = /^[A-Za-z_][A-Za-z0-9_]*=/;

/** The call of ours that the submission consists of: `srun hpc-submit-dockerjob …`, `sbatch --wrap 'hpc-submit-dockerjob …'`. */
export function findOwnCall({
  kind,
  words,
  wrap,
}: Pick<SlurmSubmission, 'kind' | 'words' | 'wrap'>): OwnCall | undefined {
  if (kind === 'srun') return isOwnName(words[0]) ? { words: words.slice(1), assignments: [] } : undefined;
  // salloc does not tell its command, which would run where it was called.
  if (kind === 'salloc' || wrap === undefined) return undefined;
  const parts = splitSimpleCommand(wrap) ?? [];
  const first = parts.findIndex((word) => !assignment.test(word));
  const command = first < 0 ? [] : parts.slice(first);
  const rest = command[0] === 'exec' ? command.slice(1) : command;
  return isOwnName(rest[0]) ? { words: rest.slice(1), assignments: parts.slice(0, first) } : undefined;
}

function isOwnName(word = ''): boolean {
  return ownNames.includes(basename(word));
}

/** True when a script or a command line may call the middleware. */
export function mentionsOwnCall(text: string): boolean {
  return /hpc[-_]submit[-_]dockerjob/.test(text);
}
