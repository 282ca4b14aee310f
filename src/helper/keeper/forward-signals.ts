import type { Store } from '../../ports/store.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { jobFieldKey } from '../../contract/kvs-keys.ts';
import type { ForwardedSignal } from '../../contract/helper-events.ts';

/** A warning comes once or a few times; who sends more gets no more of the store's time. */
const mostSignals = 100;

/**
 * Puts signals for the job's command into the job's SIGNAL key, all so far in their order; the master's `run-node` reads
 * them there. Through the store and not through the launcher: not every launcher passes signals on (`lsrun` does not),
 * and on one host there is none: sudo ignores what comes from its own process group and what a user sends to root's
 * process. Never fails: a signal that an outage swallows is lost, as the user's program would not have waited either.
 */
export function forwardSignals(store: Store, prefix: string, job: JobKey): (signal: ForwardedSignal) => void {
  const all: ForwardedSignal[] = [];
  let writing = Promise.resolve();
  let written = 0;
  return (signal) => {
    if (all.length >= mostSignals) return;
    all.push(signal);
    writing = writing.then(async () => {
      if (written === all.length) return; // an earlier write took it along
      const count = all.length;
      await store
        .commit({
          conditions: [{ kind: 'value', key: jobFieldKey(prefix, job, 'FINISH'), equals: 'FALSE' }],
          puts: [{ key: jobFieldKey(prefix, job, 'SIGNAL'), value: all.slice(0, count).join(' ') }],
        })
        .then(
          () => (written = count),
          () => undefined,
        );
    });
  };
}
