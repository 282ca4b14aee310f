import { asJobError } from '../../values/errors.ts';
import type { JobStore } from './job-store.ts';

/** In which the keeper of a running job has ended it, once it has seen that the node is lost. */
const endMs = 10_000;

/**
 * Says in the store that nothing of this node is left on its host. A store that is full takes no word but deletes: the node's keys go
 * instead, once the job is over; a node of which there are no keys counts as one that never began. Fails as the store does.
 */
export async function reportReleased(jobStore: JobStore, index: number): Promise<void> {
  const { store } = jobStore;
  const puts = [{ key: jobStore.nodeKey(index, 'PHASE'), value: 'released' }];
  try {
    await store.commit({ conditions: [jobStore.isOpen], puts });
  } catch (error) {
    if (asJobError(error).code !== 'STORE_FULL') throw error;
    const isOver = await jobStore.until(({ finish }) => (finish === 'running' ? undefined : true), {
      part: 'control',
      deadlineMs: endMs,
    });
    if (isOver.kind !== 'reached') throw error;
    await store.commit({ deletes: [jobStore.nodeRange(index)] });
  }
}
