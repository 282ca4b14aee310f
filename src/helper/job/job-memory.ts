import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { countKills, provesKill } from '../../cgroup/count-kills.ts';
import type { KillFiles } from '../../cgroup/count-kills.ts';
import { readLimits } from '../../cgroup/read-limits.ts';
import type { ErrorCode } from '../../values/errors.ts';
import { asClause, JobError } from '../../values/errors.ts';
import { moreMemoryHint } from '../../values/own-memory.ts';
import { CallerDied } from './caller-died.ts';
import type { Authorities } from '../find-authority.ts';

/** The memory of the job on this host, as the kernel counts it below the job's own cgroup. */
export interface JobMemory {
  /**
   * `OUT_OF_MEMORY` with the error in it when the kernel has killed a process of the job here since, and the error is one
   * that a kill brings about; else the error itself. Never fails.
   */
  explain(error: JobError): Promise<JobError>;
}

/** What the end of one of our programs, or of one that it has called, is taken for. */
const endsByKill: readonly ErrorCode[] = [
  'NODE_LOST',
  'NODE_LATE',
  'LEASE_LOST',
  'LAUNCHER_FAILED',
  'HELPER_LOST',
  'HOST_UNFIT',
  'ENGINE_UNREACHABLE',
  'STORE_UNREACHABLE',
  'SCHEDULER_UNREACHABLE',
  'BUG',
];

function isByKill(error: JobError): boolean {
  return endsByKill.includes(error.code) || error instanceof CallerDied;
}

/** Without a cgroup of the job the kernel counts nothing for it, and every error stays what it is. */
export async function watchJobMemory(
  { findJobCgroup }: Pick<Authorities, 'findJobCgroup'>,
  files: KillFiles & { readonly ownCgroup?: string } = {},
): Promise<JobMemory> {
  const path = findJobCgroup(await readFile(files.ownCgroup ?? '/proc/self/cgroup', 'utf8').catch(() => ''))?.path;
  if (path === undefined) return { explain: async (error) => await Promise.resolve(error) };
  const before = await countKills(path, files);
  return {
    explain: async (error) => {
      if (!isByKill(error) || !provesKill(before, await countKills(path, files))) return error;
      const { memoryBytes } = await readLimits(path, files.root);
      const limit = memoryBytes === undefined ? '' : ` (the job has ${Math.floor(memoryBytes / 2 ** 20)} MiB there)`;
      return new JobError({
        code: 'OUT_OF_MEMORY',
        message: `memory ran out on host ${hostname()}${limit}, and the kernel killed a process of the job: ${asClause(error)}.`,
        hint: moreMemoryHint,
        cause: error,
      });
    },
  };
}
