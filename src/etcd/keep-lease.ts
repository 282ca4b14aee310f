import type { Etcd3 } from 'etcd3';
import { EtcdLeaseInvalidError } from 'etcd3';
import type { Lease } from '../ports/store.ts';
import { JobError } from '../values/errors.ts';
import { callStore, pauseMs, type TryOptions } from './call-store.ts';
import type { EndpointRing } from './endpoint-ring.ts';
import { pause } from '../system/deadline.ts';

/**
 * Grants a lease and renews it three times in its life until `revoke` or the end of the ring. While the store cannot
 * be reached it keeps trying: only the store's own word that the lease is gone makes it lost (etcd3's own lease
 * gives up after twice the TTL, although downtime of etcd starts the TTL anew).
 */
export async function grantLease(ring: EndpointRing, callTimeoutMs: number, ttlSeconds: number): Promise<Lease> {
  const granted = await callStore(ring, callTimeoutMs, (client, options) =>
    client.leaseClient.leaseGrant({ TTL: ttlSeconds }, options),
  );
  const id = granted.ID;
  const lost = new AbortController();
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ring.closed]);
  const renewing = renewUntil(signal, { ring, id, callTimeoutMs, ttlMs: 1000 * Number(granted.TTL) });
  void renewing.then((end) => {
    // The answer to a renewal may come after our own revoke.
    if (end === 'lost' && !signal.aborted)
      lost.abort(new JobError({ code: 'LEASE_LOST', message: 'The lease in the key-value store has ended.' }));
  });
  return {
    id,
    lost: lost.signal,
    revoke: async () => {
      stop.abort();
      await callStore(ring, callTimeoutMs, (client, options) => revokeLease(client, id, options));
    },
  };
}

interface Renewal {
  readonly ring: EndpointRing;
  readonly id: string;
  readonly callTimeoutMs: number;
  readonly ttlMs: number;
}

async function renewUntil(stop: AbortSignal, renewal: Renewal): Promise<'stopped' | 'lost'> {
  const { ring, id, ttlMs } = renewal;
  const tryMs = Math.min(renewal.callTimeoutMs, ttlMs / 3);
  for (let failures = 0; ;) {
    const wait = failures === 0 ? ttlMs / 3 : pauseMs(failures);
    await pause(wait, { signal: stop });
    if (stop.aborted) return 'stopped';
    const visit = ring.current;
    try {
      if (!(await renewOnce(visit.client, id, { deadline: Date.now() + tryMs }))) return 'lost';
      failures = 0;
    } catch {
      failures++;
      ring.leave(visit);
    }
  }
}

/** True when the store has renewed the lease, false when it says that there is none; throws when it says nothing. */
async function renewOnce(client: Etcd3, id: string, options: TryOptions): Promise<boolean> {
  const stream = await client.leaseClient.leaseKeepAlive(options);
  try {
    const { TTL } = await new Promise<{ readonly TTL: string }>((resolve, reject) => {
      stream.on('data', resolve);
      stream.on('error', reject);
      stream.on('end', () => reject(new Error('The stream ended without an answer.')));
      stream.write({ ID: id });
    });
    return Number(TTL) > 0;
  } catch (error) {
    if (String(error).includes('lease not found')) return false;
    throw error;
  } finally {
    stream.end();
  }
}

async function revokeLease(client: Etcd3, id: string, options: TryOptions): Promise<void> {
  try {
    await client.leaseClient.leaseRevoke({ ID: id }, options);
  } catch (error) {
    if (!(error instanceof EtcdLeaseInvalidError)) throw error;
  }
}
