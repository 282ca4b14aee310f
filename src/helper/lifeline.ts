import { setTimeout as pause } from 'node:timers/promises';
import type { Lease, Store } from '../ports/store.ts';
import { JobError } from '../shared/errors.ts';

/**
 * A lease that says "this process lives". While the scheduler has suspended the process, which then cannot renew
 * anything, its keys hang on no lease; afterwards they hang on a new one.
 */
export interface Lifeline {
  /** For keys that shall vanish when this process dies; undefined while it is suspended. */
  readonly lease: Lease | undefined;
  /** Aborts with `LEASE_LOST` when the store says that the lease has ended. */
  readonly lost: AbortSignal;
  /** `rewrite` must write the keys anew without a lease; it is tried again while the store is away. */
  suspend(rewrite: () => Promise<void>): Promise<void>;
  /** `rewrite` must write the keys anew under the new `lease`. */
  resume(rewrite: () => Promise<void>): Promise<void>;
  /** Ends the lease and with it its keys. */
  end(): Promise<void>;
}

/** A scheduler stops the process about 2 s after the warning. */
const tries = 4;
const pauseMs = 300;

/** Makes a lifeline of a lease; those that follow it live as long. */
export function lifelineOf(store: Store, ttlSeconds: number, first: Lease): Lifeline {
  const lost = new AbortController();
  let lease: Lease | undefined = first;
  const listen = (granted: Lease): void => {
    const pass = (): void => {
      if (lease?.id === granted.id) lost.abort(leaseLost(granted));
    };
    if (granted.lost.aborted) pass();
    else granted.lost.addEventListener('abort', pass, { once: true });
  };
  listen(first);
  return {
    get lease() {
      return lease;
    },
    lost: lost.signal,
    suspend: async (rewrite) => {
      const old = lease;
      lease = undefined;
      await persist(rewrite);
      await old?.revoke().catch(() => undefined); // it would run out by itself
    },
    resume: async (rewrite) => {
      if (lease !== undefined) return;
      await persist(async () => {
        lease = await store.grantLease(ttlSeconds);
        listen(lease);
        await rewrite();
      });
    },
    end: async () => await lease?.revoke(),
  };
}

function leaseLost({ lost }: Lease): unknown {
  return lost.reason ?? new JobError({ code: 'LEASE_LOST', message: 'The lease in the key-value store has ended.' });
}

async function persist(action: () => Promise<void>): Promise<void> {
  for (let left = tries; ; left--) {
    try {
      await action();
      return;
    } catch (error) {
      if (left <= 1) throw error;
      await pause(pauseMs);
    }
  }
}
