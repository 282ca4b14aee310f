import { retryUntil } from '../../system/retry-until.ts';

/** Short enough for the two seconds that a scheduler leaves a process before it stops it. */
const pauseMs = 300;

/**
 * Tries until the action succeeds: an outage of the store may last longer than any number of tries that could be chosen.
 * Fails with the reason of `over` alone, when that aborts before.
 */
export async function persistUntil(over: AbortSignal, action: () => Promise<void>): Promise<void> {
  const attempt = async (): Promise<true | undefined> =>
    await action().then(
      () => true as const,
      () => undefined,
    );
  await retryUntil(attempt, { pauseMs, signal: over });
}
