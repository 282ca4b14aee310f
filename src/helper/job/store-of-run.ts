import type { Store } from '../../ports/store.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import { jobFieldKey } from '../../contract/kvs-keys.ts';

/**
 * The store as this run of the job may write to it: what would change a key is refused, as a condition that does not hold,
 * once another run has taken the job over. A program that was frozen, or a host that comes back, never touches a later run.
 */
export function storeOfRun(store: Store, prefix: string, { job, token }: Pick<JobPlan, 'job' | 'token'>): Store {
  const isOurs = { kind: 'value', key: jobFieldKey(prefix, job, 'RUN'), equals: token } as const;
  return {
    read: async (range) => await store.read(range),
    // Deletions name by value what they remove, and free the subnet when the job's keys are gone.
    commit: async (transaction) =>
      await store.commit(
        transaction.puts === undefined
          ? transaction
          : { ...transaction, conditions: [isOurs, ...(transaction.conditions ?? [])] },
      ),
    grantLease: async (ttlSeconds) => await store.grantLease(ttlSeconds),
    watch: (range, lookAgain) => store.watch(range, lookAgain),
    close: async () => await store.close(),
  };
}
