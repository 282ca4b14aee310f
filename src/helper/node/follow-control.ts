import type { JobState } from '../job/job-state.ts';
import type { JobStore } from '../job/job-store.ts';

/** A job's control keys, followed by one watch for as long as a node lives. */
export interface FollowedJob {
  /** What `judge` finds in the running job; undefined when the job is over before. Fails with the reason of `told`. */
  until<T>(judge: (state: JobState) => T | undefined): Promise<T | undefined>;
  /** Ends the watch; waits that are still open resolve to undefined. */
  stop(): void;
}

interface Wait {
  /** True when it is over. */
  readonly look: (state: JobState) => boolean;
  readonly end: () => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Follows the job: from the plan of this launch, which may still be on its way, to its end, which is FINISH=TRUE, or the
 * loss of the lease and FINISH with it, or another run's plan. The plan of another launch before that is waited out: its
 * call was killed, perhaps, and is being taken away. While the store is away it waits on: a running job needs no store.
 */
export function followControl(jobStore: JobStore, launchId: string, told: AbortSignal): FollowedJob {
  const stopped = new AbortController();
  const waits = new Set<Wait>();
  let token: string | undefined;
  let last: JobState | undefined;
  let outcome: { readonly error?: unknown } | undefined;
  const judge = (state: JobState): true | undefined => {
    const isOurs = state.plan?.launchId === launchId;
    const runningToken = isOurs && state.finish === 'running' ? state.plan.token : undefined;
    if (token !== undefined && runningToken !== token) return true;
    // Over before we came: then FINISH is not FALSE any more, though the plan is still there.
    if (runningToken === undefined) return isOurs ? true : undefined;
    token = runningToken;
    last = state;
    for (const wait of waits) if (wait.look(state)) waits.delete(wait);
    return undefined;
  };
  const finish = (result: { readonly error?: unknown }): void => {
    outcome = result;
    for (const wait of waits) {
      if ('error' in result) wait.fail(result.error);
      else wait.end();
    }
    waits.clear();
  };
  const signal = AbortSignal.any([told, stopped.signal]);
  jobStore.until(judge, { part: 'control', signal, tolerateOutage: true }).then(
    () => finish({}),
    (error: unknown) => finish(stopped.signal.aborted ? {} : { error: told.aborted ? told.reason : error }),
  );
  return {
    until: async <T>(look: (state: JobState) => T | undefined): Promise<T | undefined> => {
      if (outcome !== undefined && 'error' in outcome) throw outcome.error;
      const now = outcome !== undefined || last === undefined ? undefined : look(last);
      if (outcome !== undefined || now !== undefined) return now;
      const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
      waits.add({
        look: (state) => {
          const found = look(state);
          if (found !== undefined) resolve(found);
          return found !== undefined;
        },
        end: () => resolve(undefined),
        fail: reject,
      });
      return await promise;
    },
    stop: () => stopped.abort(),
  };
}
