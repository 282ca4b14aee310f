import { lasts } from '../../system/deadline.ts';
import { asClause, asJobError, JobError } from '../../values/errors.ts';

export interface RegistryCall {
  /** From now, all tries together. */
  readonly deadlineMs: number;
  /** Of whoever waits for the answer: its abort ends the call with its reason. */
  readonly signal: AbortSignal;
  readonly mostTries: number;
  /** Told before each further try. */
  readonly onRetry?: (error: JobError) => void;
  /** What is told when the time is over. */
  readonly describeLate: () => string;
}

const firstPauseMs = 1000;
const longestPauseMs = 30_000;

/**
 * Does what a registry may refuse for the moment, again and again with longer pauses. Fails with what it failed with last, or
 * with `IMAGE_NOT_FETCHED` when the time is over.
 */
export async function askRegistry<T>(
  { deadlineMs, signal, mostTries, onRetry, describeLate }: RegistryCall,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new TooLate()), deadlineMs);
  const both = AbortSignal.any([signal, late.signal]);
  let last: JobError | undefined;
  try {
    for (let tries = 1, pauseMs = firstPauseMs; ; tries++, pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      both.throwIfAborted();
      try {
        return await work(both);
      } catch (error) {
        if (both.aborted || !mayPass(error) || tries >= mostTries) throw error;
        last = asJobError(error);
        onRetry?.(last);
      }
      // Not all hosts of a job at the same moment again.
      if (!(await lasts(pauseMs * (0.5 + Math.random()), both))) throw both.reason;
    }
  } catch (error) {
    if (!(error instanceof TooLate)) throw error;
    const before = last === undefined ? '' : `; before that, ${asClause(last)}`;
    throw new JobError({
      code: 'IMAGE_NOT_FETCHED',
      message: `${describeLate()}${before}`,
      hint: 'Safe to submit again. (Administrators: images.fetchSeconds in site.yaml.)',
    });
  } finally {
    clearTimeout(timer);
  }
}

class TooLate extends Error {}

function mayPass(error: unknown): boolean {
  return error instanceof JobError && (error.code === 'IMAGE_NOT_FETCHED' || error.code === 'ENGINE_UNREACHABLE');
}
