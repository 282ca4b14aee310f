import type { ForwardedSignal } from '../../contract/helper-events.ts';
import type { JobStore } from '../job/job-store.ts';

/** A warning comes once or a few times; who sends more gets no more of the store's time. */
const mostSignals = 100;

/**
 * Puts signals for the job's command into the job's SIGNAL key, all so far in their order; the master's `run-node` reads
 * them there. Through the store and not through the launcher: not every launcher passes signals on (`lsrun` does not),
 * and on one host there is none: sudo ignores what comes from its own process group and what a user sends to root's
 * process. Never fails: a signal that an outage swallows is lost, as the user's program would not have waited either.
 */
export function forwardSignals(jobStore: JobStore): (signal: ForwardedSignal) => void {
  const all: ForwardedSignal[] = [];
  let writing = Promise.resolve();
  let written = 0;
  return (signal) => {
    if (all.length >= mostSignals) return;
    all.push(signal);
    writing = writing.then(async () => {
      if (written === all.length) return; // an earlier write took it along
      const count = all.length;
      await jobStore.putWhileRunning({ SIGNAL: all.slice(0, count).join(' ') }).then(
        () => (written = count),
        () => undefined,
      );
    });
  };
}
