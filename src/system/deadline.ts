import { setTimeout as sleep } from 'node:timers/promises';

export interface PauseOptions {
  /** Its abort ends the pause. */
  readonly signal?: AbortSignal | undefined;
  /** False: a process that has nothing else to do ends meanwhile. */
  readonly keepsAlive?: boolean;
}

/** Waits so long, or until the signal aborts; never fails. */
export async function pause(milliseconds: number, options: PauseOptions = {}): Promise<void> {
  const { signal, keepsAlive = true } = options;
  await sleep(milliseconds, undefined, { ref: keepsAlive, ...(signal && { signal }) }).catch(() => undefined);
}

/** True when the whole time passes; false as soon as the signal aborts before. Never fails. */
export async function lasts(
  milliseconds: number,
  signal: AbortSignal,
  { keepsAlive = true }: Pick<PauseOptions, 'keepsAlive'> = {},
): Promise<boolean> {
  await pause(milliseconds, { signal, keepsAlive });
  return !signal.aborted;
}

/**
 * The work's value, or `late` when that takes longer. Fails when the work fails in time. The work is not ended: what it
 * comes to later is not heard.
 */
export async function within<T, Late>(
  milliseconds: number,
  work: Promise<T>,
  late: Late,
  { keepsAlive = true }: Pick<PauseOptions, 'keepsAlive'> = {},
): Promise<T | Late> {
  const done = new AbortController();
  try {
    return await Promise.race([work, pause(milliseconds, { signal: done.signal, keepsAlive }).then(() => late)]);
  } finally {
    done.abort();
  }
}

/**
 * The work's value; fails with what `late` makes when that takes longer. The work's signal aborts then, with the same
 * error, but work that does not heed it is not waited for.
 */
export async function withDeadline<T>(
  milliseconds: number,
  work: (over: AbortSignal) => Promise<T>,
  late: () => Error,
): Promise<T> {
  const over = new AbortController();
  const result = await within(milliseconds, work(over.signal), tooLate);
  if (result !== tooLate) return result;
  const error = late();
  over.abort(error);
  throw error;
}

const tooLate = Symbol('too late');

/** The work's value, or undefined when the signal aborts before it is there; what the work comes to then is not heard. */
export async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T | undefined> {
  work.catch(() => undefined);
  const aborted = Promise.withResolvers<undefined>();
  const stop = (): void => aborted.resolve(undefined);
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
