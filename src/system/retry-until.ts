import { pause } from './deadline.ts';

export interface RetryOptions {
  /** Between two tries: always as long, or twice as long each time. */
  readonly pauseMs: number | { readonly first: number; readonly most: number };
  /** From now; no try begins later. Without it only `signal` ends the tries. */
  readonly deadlineMs?: number;
  /** Its abort rejects with its reason. */
  readonly signal?: AbortSignal;
  /** False: a process that has nothing else to do ends during a pause. */
  readonly keepsAlive?: boolean;
}

/**
 * Calls `attempt` until it gives a value, and returns that; undefined when the deadline passes before. What `attempt`
 * throws ends the tries.
 */
export async function retryUntil<T>(
  attempt: () => T | undefined | Promise<T | undefined>,
  { pauseMs, deadlineMs = Infinity, signal, keepsAlive = true }: RetryOptions,
): Promise<T | undefined> {
  const deadline = performance.now() + deadlineMs;
  const { first, most } = typeof pauseMs === 'number' ? { first: pauseMs, most: pauseMs } : pauseMs;
  for (let nextMs = first; ; nextMs = Math.min(2 * nextMs, most)) {
    signal?.throwIfAborted();
    const value = await attempt();
    if (value !== undefined) return value;
    if (performance.now() > deadline) return undefined;
    await pause(nextMs, { signal, keepsAlive });
  }
}
