import type { Lease, Store } from '../../ports/store.ts';
import { JobError } from '../../values/errors.ts';
import { persistUntil } from './persist-until.ts';

/**
 * A lease that says "this process lives". While the scheduler has suspended the process, which then cannot renew
 * anything, its keys hang on no lease; afterwards they hang on a new one.
 */
export interface Lifeline {
  /** For keys that shall vanish when this process dies; undefined while it is suspended. */
  readonly lease: Lease | undefined;
  /** Aborts with `LEASE_LOST` when the store says that the lease has ended. */
  readonly lost: AbortSignal;
  /** `rewrite` must write the keys anew without a lease; while the store is away it is tried until `superseded`, whose reason it fails with. */
  suspend(rewrite: () => Promise<void>, superseded: AbortSignal): Promise<void>;
  /** `rewrite` must write the keys anew under the new `lease`; while the store is away it is tried until `superseded`, whose reason it fails with. */
  resume(rewrite: () => Promise<void>, superseded: AbortSignal): Promise<void>;
  /** Ends the lease and with it its keys. */
  end(): Promise<void>;
}

/** Makes a lifeline of a lease; those that follow it live as long. */
export function lifelineOf(store: Store, ttlSeconds: number, first: Lease): Lifeline {
  const lost = new AbortController();
  let lease: Lease | undefined = first;
  /** False from the grant of a lease until the keys are known to hang on it. */
  let isHeld = true;
  /** Leases on which keys may still hang, until the next rewrite is through. */
  const former = new Set<Lease>();
  const listen = (granted: Lease): void => {
    const pass = (): void => {
      if (lease?.id !== granted.id) return;
      if (isHeld) lost.abort(leaseLost(granted));
      else lease = undefined; // nothing hung on it for certain: the next try takes another one
    };
    if (granted.lost.aborted) pass();
    else granted.lost.addEventListener('abort', pass, { once: true });
  };
  const revokeFormer = async (): Promise<void> => {
    for (const old of former) {
      former.delete(old);
      await old.revoke().catch(() => undefined); // it would run out by itself
    }
  };
  listen(first);
  return {
    get lease() {
      return lease;
    },
    lost: lost.signal,
    suspend: async (rewrite, superseded) => {
      if (lease !== undefined) former.add(lease);
      lease = undefined;
      isHeld = false;
      await persistUntil(superseded, rewrite);
      await revokeFormer();
    },
    resume: async (rewrite, superseded) => {
      if (isHeld) return;
      await persistUntil(superseded, async () => {
        // One lease for all tries: a rewrite that seems to have failed may have been carried out, and its keys hang on it.
        if (lease === undefined) {
          lease = await store.grantLease(ttlSeconds);
          listen(lease);
        }
        await rewrite();
      });
      isHeld = true;
      await revokeFormer();
    },
    end: async () => await lease?.revoke(),
  };
}

function leaseLost({ lost }: Lease): unknown {
  return lost.reason ?? new JobError({ code: 'LEASE_LOST', message: 'The lease in the key-value store has ended.' });
}
