import { asJobError } from '../../values/errors.ts';
import type { JobEnd } from '../../contract/helper-events.ts';
import { keyOnly } from '../../contract/kvs-keys.ts';
import { reasonText } from './job-state.ts';
import type { JobStore } from './job-store.ts';

/**
 * Ends the job with `end` unless it has ended before; returns the end that counts, the first. FINISH=TRUE hangs on
 * no lease: it stays until the job is released. Fails with `STORE_UNREACHABLE`; the lease ends the job on the other
 * hosts then.
 */
export async function endJob(jobStore: JobStore, end: JobEnd): Promise<JobEnd> {
  const fields = { EXITCODE: String(end.exitStatus), REASON: reasonText(end), FINISH: 'TRUE' };
  if (await jobStore.putWhileRunning(fields)) return end;
  const state = await jobStore.read('control');
  // Absent: the lease is gone and with it FINISH; the end is written all the same, for whoever looks for it.
  if (state.finish === 'absent' && state.plan !== undefined) {
    const puts = jobStore.putsOf(fields);
    await jobStore.store.commit({ conditions: [jobStore.lacks('FINISH')], puts });
  }
  return state.end ?? end;
}

/**
 * The same, also in a store that is full: there FINISH is deleted, which ends the job on every host just as a lost lease does. The end itself
 * is then told by nobody but the caller. `isTold` is false then.
 */
export async function endJobInAnyCase(
  jobStore: JobStore,
  end: JobEnd,
): Promise<{ readonly end: JobEnd; readonly isTold: boolean }> {
  try {
    return { end: await endJob(jobStore, end), isTold: true };
  } catch (error) {
    if (asJobError(error).code !== 'STORE_FULL') throw error;
    await jobStore.store.commit({ conditions: [jobStore.isRunning], deletes: [keyOnly(jobStore.key('FINISH'))] });
    return { end, isTold: false };
  }
}
