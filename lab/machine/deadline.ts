/** Waits that end: for a state in the guests, and for everything that one row of the table does. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describeFailure, LabError } from '../lab-error.ts';
import type { Host } from './guest.ts';

const pauseMs = 1_000;

/** All that was still under way when a deadline passed fails with this. */
export class DeadlineError extends LabError {}

/** The host as given, but its commands end, and fail, as soon as the signal is aborted. */
export function boundBy(signal: AbortSignal, { place, run, tryRun }: Host): Host {
  return {
    place,
    run: async (script, options) => await run(script, { ...options, signal }),
    tryRun: async (script, options) => await tryRun(script, { ...options, signal }),
  };
}

/** Gives the action a signal that is aborted after `seconds`, and fails then also when the action goes on. */
export async function within<T>(seconds: number, action: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const done = action(controller.signal);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new DeadlineError(`No end after ${seconds} s.`);
      controller.abort(error);
      // What the action waited for is the better reason, and there at once when the action keeps to the signal.
      setTimeout(() => reject(error), pauseMs * 3);
    }, seconds * 1000);
  });
  try {
    return await Promise.race([done, late]);
  } finally {
    clearTimeout(timer);
  }
}

export interface Wait {
  /** What is waited for, as the message of a failure says it. */
  readonly what: string;
  /** Without it the caller's own deadline must end `ask`. */
  readonly timeoutMs?: number;
}

/** Asks again until there is an answer, and returns it. Fails with what was waited for when a deadline passes. */
export async function until<T>({ what, timeoutMs = Infinity }: Wait, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask().catch((error: unknown) => {
      if (!(error instanceof DeadlineError)) throw error;
      throw new DeadlineError(`${describeFailure(error)} It waited for ${what}.`);
    });
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new DeadlineError(`Waited ${timeoutMs / 1000} s for ${what}.`);
    await sleep(pauseMs);
  }
}
