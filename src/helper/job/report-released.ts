import type { Store } from '../../ports/store.ts';
import { asJobError } from '../../values/errors.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { controlRange, jobFieldKey, nodeFieldKey, nodeRange } from '../../contract/kvs-keys.ts';
import { awaitState } from '../../system/await-state.ts';
import { parseJobState } from './job-state.ts';

/** In which the keeper of a running job has ended it, once it has seen that the node is lost. */
const endMs = 10_000;

/**
 * Says in the store that nothing of this node is left on its host. A store that is full takes no word but deletes: the node's keys go
 * instead, once the job is over; a node of which there are no keys counts as one that never began. Fails as the store does.
 */
export async function reportReleased(store: Store, prefix: string, job: JobKey, index: number): Promise<void> {
  const isOpen = { kind: 'present', key: jobFieldKey(prefix, job, 'PLAN') } as const;
  const puts = [{ key: nodeFieldKey(prefix, job, index, 'PHASE'), value: 'released' }];
  try {
    await store.commit({ conditions: [isOpen], puts });
  } catch (error) {
    if (asJobError(error).code !== 'STORE_FULL') throw error;
    const isOver = await awaitState(
      store,
      controlRange(prefix, job),
      (entries) => (parseJobState(prefix, job, entries).finish === 'running' ? undefined : true),
      { deadlineMs: endMs },
    );
    if (isOver.kind !== 'reached') throw error;
    await store.commit({ deletes: [nodeRange(prefix, job, index)] });
  }
}
