import type { Store } from '../../src/ports/store.ts';
import { createMemoryStore } from '../../src/local-store/memory-store.ts';
import { describeStoreContract } from './store-contract.ts';

describeStoreContract('the store in memory', () => {
  const store = createMemoryStore();
  // Each connection ends by itself; they share the contents.
  const connect = (): Store => {
    let isClosed = false;
    return {
      ...store,
      read: (range) => (isClosed ? closedStore.read(range) : store.read(range)),
      close: () => Promise.resolve(void (isClosed = true)),
    };
  };
  const closedStore = createMemoryStore();
  return closedStore.close().then(() => ({ connect, stop: () => store.close() }));
});
