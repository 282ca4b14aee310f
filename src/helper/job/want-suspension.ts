import type { WantedState } from '../../contract/helper-events.ts';
import { pause } from '../../system/deadline.ts';
import type { JobStore } from './job-store.ts';

const retryPauseMs = 1000;
/** Who says it more often gets no more of the store's and the engines' time. */
const spacingMs = 500;
/** A scheduler suspends a job now and then; each change costs writes of every host, and a user may say it for days. */
const quickWords = 20;
const lateSpacingMs = 10_000;

/** How long the next word waits after so many have been written. */
function spacingAfter(written: number): number {
  return written < quickWords ? spacingMs : lateSpacingMs;
}

/** Says in the store whether the job is to stand still, for all its hosts. False when the job is over. */
export async function putWanted(jobStore: JobStore, wanted: WantedState): Promise<boolean> {
  return await jobStore.putWhileRunning({ WANTED: wanted });
}

/**
 * Says it again and again until the store has it, and what was said last only: a job that has been resumed while etcd
 * was away must not stay suspended. Ends with the job, or with `signal`.
 */
export function keepWanted(jobStore: JobStore, signal: AbortSignal): (wanted: WantedState) => void {
  let wanted: WantedState | undefined;
  let isWriting = false;
  let count = 0;
  const write = async (): Promise<void> => {
    isWriting = true;
    for (let written: WantedState | undefined; wanted !== undefined && wanted !== written && !signal.aborted;) {
      const now = wanted;
      try {
        if (!(await putWanted(jobStore, now))) break;
        written = now;
        count += 1;
        await pause(spacingAfter(count), { signal });
      } catch {
        await pause(retryPauseMs, { signal });
      }
    }
    isWriting = false;
  };
  return (now) => {
    wanted = now;
    if (!isWriting) void write();
  };
}
