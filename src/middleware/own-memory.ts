import { findMemoryAccount, hasSwap } from '../cgroup/watch-memory.ts';
import type { MemoryTrouble } from '../cgroup/watch-memory.ts';
import type { ErrorCode } from '../values/errors.ts';
import { asClause, asJobError, JobError } from '../values/errors.ts';
import { describeSmallMemory, leastOwnMemory, moreMemoryHint } from '../values/own-memory.ts';

/** The memory of the batch script's cgroup, in which this program and the helper that keeps the job run. */
export interface OwnMemory {
  /** Fails with `OUT_OF_MEMORY` when this host can never hold our own programs. */
  requireEnough(): Promise<void>;
  /** `OUT_OF_MEMORY` with the error in it when the kernel has killed one of our programs since; else the error itself. */
  explain(thrown: unknown): Promise<unknown>;
}

/** Ends of the helper that a kill brings about. */
const endsOfHelper: readonly ErrorCode[] = ['HELPER_LOST', 'HELPER_UNAVAILABLE'];

/** Of this process; tests read another's files. Never fails. */
export async function watchOwnMemory(
  readState: () => Promise<MemoryTrouble | undefined> = readOwnState,
  isSwapping: () => Promise<boolean> = hasSwap,
): Promise<OwnMemory> {
  const before = await readState();
  return {
    requireEnough: async () => {
      const limit = before?.limitBytes;
      if (limit === undefined || limit >= leastOwnMemory(0) || (await isSwapping())) return;
      throw new JobError({
        code: 'OUT_OF_MEMORY',
        message: `This host cannot start the job: ${describeSmallMemory(limit, 0)}.`,
        hint: moreMemoryHint,
      });
    },
    explain: async (thrown) => {
      const error = asJobError(thrown);
      if (before === undefined || !endsOfHelper.includes(error.code)) return thrown;
      const now = await readState();
      if (now === undefined || now.killedCount <= before.killedCount) return thrown;
      const limit = now.limitBytes === undefined ? '' : ` (the limit is ${Math.round(now.limitBytes / 2 ** 20)} MiB)`;
      return new JobError({
        code: 'OUT_OF_MEMORY',
        message: `Memory ran out on this host${limit}, and the kernel killed a program of ours: ${asClause(error)}.`,
        hint: moreMemoryHint,
        cause: error,
      });
    },
  };
}

async function readOwnState(): Promise<MemoryTrouble | undefined> {
  return await (await findMemoryAccount(process.pid))?.readState();
}
