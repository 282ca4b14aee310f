import { setTimeout as pause } from 'node:timers/promises';

/** Short enough for the two seconds that a scheduler leaves a process before it stops it. */
const pauseMs = 300;

/**
 * Tries until the action succeeds: an outage of the store may last longer than any number of tries that could be chosen.
 * Fails with the reason of `over` alone, when that aborts before.
 */
export async function persistUntil(over: AbortSignal, action: () => Promise<void>): Promise<void> {
  for (;;) {
    over.throwIfAborted();
    try {
      await action();
      return;
    } catch {
      await pause(pauseMs, undefined, { signal: over }).catch(() => undefined);
    }
  }
}
