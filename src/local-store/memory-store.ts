import { setMaxListeners } from 'node:events';
import type { Condition, Lease, Store, StoreEntry, Watch } from '../ports/store.ts';
import { checkTransaction } from '../contract/check-transaction.ts';
import { JobError } from '../values/errors.ts';
import type { KeyRange } from '../contract/kvs-keys.ts';
import { isInRange } from '../contract/kvs-keys.ts';

/** The in-process store, which can also stage the loss of a lease. */
export interface MemoryStore extends Store {
  /** Ends a lease as if its time had run out: its keys go and its holder is told. */
  expireLease(id: string): void;
}

interface Held extends StoreEntry {
  readonly leaseId: string | undefined;
}

interface Watcher {
  readonly range: KeyRange;
  readonly lookAgain: () => void;
  isHinted: boolean;
}

/** Who looks again after a change. */
class Watchers {
  readonly #watchers = new Set<Watcher>();

  open(range: KeyRange, lookAgain: () => void): Watch {
    const watcher: Watcher = { range, lookAgain, isHinted: false };
    this.#watchers.add(watcher);
    return { close: () => Promise.resolve(void this.#watchers.delete(watcher)) };
  }

  hintAbout(keys: readonly string[]): void {
    for (const watcher of this.#watchers) {
      if (watcher.isHinted || !keys.some((key) => isInRange(watcher.range, key))) continue;
      // Later, so that a hint never runs inside the transaction, and once for many changes.
      watcher.isHinted = true;
      setImmediate(() => {
        watcher.isHinted = false;
        if (this.#watchers.has(watcher)) watcher.lookAgain();
      });
    }
  }

  close(): void {
    this.#watchers.clear();
  }
}

/**
 * A store in this process with the meaning of etcd's: transactions are all or nothing, ranges by byte order.
 * A lease lives until its holder revokes it: who holds it and the store end together. Keys must be ASCII.
 */
export function createMemoryStore(): MemoryStore {
  const entries = new Map<string, Held>();
  const leases = new Map<string, AbortController>();
  const watchers = new Watchers();
  let leaseCount = 0;
  let isClosed = false;

  const requireOpen = (): void => {
    if (isClosed) throw new JobError({ code: 'STORE_UNREACHABLE', message: 'The job-local store is closed.' });
  };

  const removeWhere = (isDoomed: (entry: Held) => boolean): string[] => {
    const keys = [...entries.values()].filter(isDoomed).map(({ key }) => key);
    for (const key of keys) entries.delete(key);
    return keys;
  };

  const endLease = (id: string): AbortController | undefined => {
    const lost = leases.get(id);
    if (lost === undefined) return undefined;
    leases.delete(id);
    watchers.hintAbout(removeWhere(({ leaseId }) => leaseId === id));
    return lost;
  };

  return {
    // eslint-disable-next-line @typescript-eslint/require-await -- what throws must reject
    read: async (range) => {
      requireOpen();
      const found = [...entries.values()].filter(({ key }) => isInRange(range, key));
      return found.sort((a, b) => (a.key < b.key ? -1 : 1)).map(toEntry);
    },
    // eslint-disable-next-line @typescript-eslint/require-await -- as above
    commit: async (transaction) => {
      requireOpen();
      checkTransaction(transaction);
      const { conditions = [], puts = [], deletes = [] } = transaction;
      if (!conditions.every((condition) => holds(entries, condition))) return false;
      if (puts.some(({ lease }) => lease !== undefined && !leases.has(lease.id))) throw leaseEnded();
      const touched = removeWhere(({ key }) => deletes.some((range) => isInRange(range, key)));
      for (const { key, value, lease } of puts) {
        entries.set(key, { key, value, leaseId: lease?.id });
        touched.push(key);
      }
      watchers.hintAbout(touched);
      return true;
    },
    // eslint-disable-next-line @typescript-eslint/require-await -- as above
    grantLease: async (): Promise<Lease> => {
      requireOpen();
      const id = String(++leaseCount);
      const lost = new AbortController();
      setMaxListeners(0, lost.signal);
      leases.set(id, lost);
      return { id, lost: lost.signal, revoke: () => Promise.resolve(void endLease(id)) };
    },
    watch: (range, lookAgain) => watchers.open(range, lookAgain),
    close: () => {
      isClosed = true;
      watchers.close();
      return Promise.resolve();
    },
    expireLease: (id) => endLease(id)?.abort(leaseEnded()),
  };
}

function holds(entries: ReadonlyMap<string, Held>, condition: Condition): boolean {
  const entry = entries.get(condition.key);
  switch (condition.kind) {
    case 'absent':
      return entry === undefined;
    case 'present':
      return entry !== undefined;
    case 'value':
      return entry?.value === condition.equals;
  }
}

function toEntry({ key, value }: Held): StoreEntry {
  return { key, value };
}

function leaseEnded(): JobError {
  return new JobError({ code: 'LEASE_LOST', message: 'The lease in the job-local store has ended.' });
}
