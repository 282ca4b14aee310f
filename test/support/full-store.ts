import type { Store } from '../../src/ports/store.ts';
import { JobError } from '../../src/values/errors.ts';

/** The store as etcd is at its quota: what puts, and new leases, are refused; reads and deletes go on. */
export function fullStore(store: Store, isFull: () => boolean = () => true): Store {
  const refuse = (): void => {
    if (isFull()) throw new JobError({ code: 'STORE_FULL', message: 'The store is full.' });
  };
  return {
    ...store,
    commit: async (transaction) => {
      if ((transaction.puts ?? []).length > 0) refuse();
      return await store.commit(transaction);
    },
    grantLease: async (seconds) => {
      refuse();
      return await store.grantLease(seconds);
    },
  };
}
