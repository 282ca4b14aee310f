import { readdirSync } from 'node:fs';
import { retryUntil } from '../../system/retry-until.ts';

/**
 * Resolves when the launcher of the ranks has done its work here at the end of a job: nothing but us runs in this container,
 * or nobody has a login to it any more (`hasLogins`), or the time is over. A launcher that is told to end gives its ranks time
 * to save what they have, and its daemons are in no process group of ours.
 */
export async function awaitLauncher(hasLogins: () => boolean, ms: number): Promise<void> {
  const isOver = (): true | undefined => !hasLogins() || !othersRun() || undefined;
  await retryUntil(isOver, { pauseMs: { first: 5, most: 100 }, deadlineMs: ms });
}

/** In a container /proc has its processes alone; the first one is the engine's. */
function othersRun(): boolean {
  const own = [1, process.pid];
  return readdirSync('/proc').some((name) => /^\d+$/.test(name) && !own.includes(Number(name)));
}
