import { setTimeout as sleep } from 'node:timers/promises';
import { LabError } from './lab-error.ts';
import { patient } from './patience.ts';

/** Asks `findMissing` again and again until it returns nothing; fails after the deadline, naming what was still missing. */
export async function awaitCondition(
  options: { readonly what: string; readonly timeoutMs: number; readonly intervalMs?: number; readonly hint?: string },
  findMissing: () => Promise<string | undefined>,
): Promise<void> {
  const timeoutMs = patient(options.timeoutMs);
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const missing = await findMissing();
    if (missing === undefined) return;
    if (Date.now() > deadline)
      throw new LabError(`${options.what} was not ready after ${timeoutMs} ms: ${missing}.`, options.hint);
    await sleep(patient(options.intervalMs ?? 100));
  }
}
