import { setTimeout as pause } from 'node:timers/promises';

const pollMs = 200;

/** Looks until the text is the one that is wanted; fails after the deadline with what it saw last. */
export async function awaitState(wanted: string, look: () => Promise<string>, timeoutMs = 15_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen === wanted) return;
    if (Date.now() > deadline) throw new Error(`Waited in vain for ${wanted}; last seen: ${seen}`);
    await pause(pollMs);
  }
}
