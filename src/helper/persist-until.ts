import { setTimeout as pause } from 'node:timers/promises';

/** Short enough for the two seconds that a scheduler leaves a process before it stops it. */
const pauseMs = 300;

/**
 * Tries until the action succeeds, then true; false when `over` aborts before. An outage of the store may last longer
 * than any number of tries that could be chosen.
 */
export async function persistUntil(over: AbortSignal, action: () => Promise<void>): Promise<boolean> {
  while (!over.aborted) {
    try {
      await action();
      return true;
    } catch {
      await pause(pauseMs, undefined, { signal: over }).catch(() => undefined);
    }
  }
  return false;
}
