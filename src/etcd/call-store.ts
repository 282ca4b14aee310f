import type { Etcd3 } from 'etcd3';
import { GRPCResourceExhastedError, isRecoverableError } from 'etcd3';
import type { EndpointRing } from './endpoint-ring.ts';
import { isStoreFull, storeClosed, storeRefused, storeUnreachable } from './explain-failure.ts';
import { pause } from '../system/deadline.ts';

/** What a single try may take. */
export interface TryOptions {
  readonly deadline: number;
}

const firstPauseMs = 50;
const maxPauseMs = 500;

/**
 * Runs one call with tries at one member after the other, a pause before each new one. A try has `callTimeoutMs`;
 * no try begins later than twice that after the first, which outlasts the election of a new leader.
 * A try whose answer was lost may have been carried out all the same.
 */
export async function callStore<T>(
  ring: EndpointRing,
  callTimeoutMs: number,
  attempt: (client: Etcd3, options: TryOptions) => Promise<T>,
): Promise<T> {
  const lastStart = Date.now() + 2 * callTimeoutMs;
  const failures = new Map<string, unknown>();
  for (let tries = 0; ; tries++) {
    if (ring.closed.aborted) throw storeClosed();
    const visit = ring.current;
    try {
      return await attempt(visit.client, { deadline: Date.now() + callTimeoutMs });
    } catch (error) {
      if (isClosed(ring)) throw storeClosed();
      // Full is said as if it were busy, but trying again does not make room.
      if (!(error instanceof Error) || !isRecoverableError(error) || isStoreFull(error))
        throw storeRefused(visit.endpoint, error);
      failures.set(visit.endpoint, error);
      // A busy member is no worse than the others.
      if (!(error instanceof GRPCResourceExhastedError)) ring.leave(visit);
    }
    const waitMs = pauseMs(tries);
    if (Date.now() + waitMs > lastStart) throw storeUnreachable(failures);
    await pause(waitMs, { signal: ring.closed });
  }
}

/** Doubles with each try up to `mostMs`, with jitter: all hosts of a job meet the same fault at the same time. */
export function pauseMs(tries: number, mostMs = maxPauseMs): number {
  return Math.min(mostMs, firstPauseMs * 2 ** tries) * (0.5 + Math.random());
}

// A function, so that the compiler does not take the answer of an earlier look for granted.
function isClosed(ring: EndpointRing): boolean {
  return ring.closed.aborted;
}
