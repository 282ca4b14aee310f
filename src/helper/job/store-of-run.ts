import type { Condition, Store } from '../../ports/store.ts';

/**
 * The store as one run of a job may write to it: what would change a key is refused, as a condition that does not hold,
 * once another run has taken the job over and `isOurs` holds no more. A program that was frozen, or a host that comes
 * back, never touches a later run.
 */
export function storeOfRun(store: Store, isOurs: Condition): Store {
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
    ...(store.follow && { follow: store.follow.bind(store) }),
    close: async () => await store.close(),
  };
}
