import type { Store } from '../../ports/store.ts';
import { asJobError } from '../../values/errors.ts';
import type { JobEnd } from '../../contract/helper-events.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { controlRange, jobFieldKey, keyOnly } from '../../contract/kvs-keys.ts';
import { parseJobState, reasonText } from './job-state.ts';

/**
 * Ends the job with `end` unless it has ended before; returns the end that counts, the first. FINISH=TRUE hangs on
 * no lease: it stays until the job is released. Fails with `STORE_UNREACHABLE`; the lease ends the job on the other
 * hosts then.
 */
export async function endJob(store: Store, prefix: string, job: JobKey, end: JobEnd): Promise<JobEnd> {
  const key = jobFieldKey(prefix, job, 'FINISH');
  const puts = [
    { key: jobFieldKey(prefix, job, 'EXITCODE'), value: String(end.exitStatus) },
    { key: jobFieldKey(prefix, job, 'REASON'), value: reasonText(end) },
    { key, value: 'TRUE' },
  ];
  if (await store.commit({ conditions: [{ kind: 'value', key, equals: 'FALSE' }], puts })) return end;
  const state = parseJobState(prefix, job, await store.read(controlRange(prefix, job)));
  // Absent: the lease is gone and with it FINISH; the end is written all the same, for whoever looks for it.
  if (state.finish === 'absent' && state.plan !== undefined) {
    await store.commit({ conditions: [{ kind: 'absent', key }], puts });
  }
  return state.end ?? end;
}

/**
 * The same, also in a store that is full: there FINISH is deleted, which ends the job on every host just as a lost lease does. The end itself
 * is then told by nobody but the caller. `isTold` is false then.
 */
export async function endJobInAnyCase(
  store: Store,
  prefix: string,
  job: JobKey,
  end: JobEnd,
): Promise<{ readonly end: JobEnd; readonly isTold: boolean }> {
  try {
    return { end: await endJob(store, prefix, job, end), isTold: true };
  } catch (error) {
    if (asJobError(error).code !== 'STORE_FULL') throw error;
    const key = jobFieldKey(prefix, job, 'FINISH');
    await store.commit({ conditions: [{ kind: 'value', key, equals: 'FALSE' }], deletes: [keyOnly(key)] });
    return { end, isTold: false };
  }
}
