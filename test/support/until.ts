/** Waiting for a state: every wait has a deadline, and says what was missing when it passes. */
import { setTimeout as pause } from 'node:timers/promises';

const lookEveryMs = 100;
/** Looks that run commands on a host cost processor time, of which the job that is looked at has the less. */
const commandEveryMs = 500;

/** Looks until `look` says true; its text is what was missing when the deadline passes. */
export async function until(
  what: string,
  deadlineMs: number,
  look: () => Promise<true | string>,
  everyMs = lookEveryMs,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const missing = await look();
    if (missing === true) return;
    if (performance.now() > deadline) throw new Error(`${what} did not come within ${deadlineMs} ms; ${missing}`);
    await pause(everyMs);
  }
}

/** As `until`, with looks that run commands on a host. */
export async function untilAsked(what: string, deadlineMs: number, look: () => Promise<true | string>): Promise<void> {
  await until(what, deadlineMs, look, commandEveryMs);
}

/** Waits for a text in a file that is quick to read; fails at once when the job, asked now and then, is over without it. */
export async function untilShown(
  { what, text, deadlineMs }: { readonly what: string; readonly text: string; readonly deadlineMs: number },
  read: () => Promise<string>,
  isOver: () => Promise<boolean>,
): Promise<void> {
  let askedAt = performance.now();
  await until(what, deadlineMs, async () => {
    if ((await read()).includes(text)) return true;
    if (performance.now() - askedAt < commandEveryMs) return `seen: ${(await read()).slice(-800)}`;
    askedAt = performance.now();
    const wasOver = await isOver();
    const seen = await read();
    if (seen.includes(text)) return true;
    if (wasOver) throw new Error(`${what} did not come before the end: ${seen.slice(-800)}`);
    return `seen: ${seen.slice(-800)}`;
  });
}
