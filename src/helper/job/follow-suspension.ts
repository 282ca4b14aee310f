import { pause } from '../../system/deadline.ts';

/**
 * What is to be done when a job is suspended, and when it goes on. Once the opposite is wanted, and at the end, it is
 * superseded: what waits for the store gives up and fails with the signal's reason.
 */
export interface SuspensionActions {
  suspend(superseded: AbortSignal): Promise<void>;
  resume(superseded: AbortSignal): Promise<void>;
}

/** Whether the job is suspended, and for how long it has been. */
export interface Suspension extends AsyncDisposable {
  /** Repeat-safe; never two actions at the same time, and what one throws goes to `complain`. */
  set(isSuspended: boolean): void;
  /** Milliseconds spent suspended, a present suspension included: no deadline counts them. */
  suspendedMs(): number;
}

/**
 * From now on until disposed, the signal that suspends a job does not stop this process: it has to see to it that the
 * job's containers stand still.
 */
export function outliveSuspensionSignal(): Disposable {
  const stayAwake = (): void => undefined; // listening is enough
  process.on('SIGTSTP', stayAwake);
  return { [Symbol.dispose]: () => void process.removeListener('SIGTSTP', stayAwake) };
}

/** An engine that does not answer now may do so in a moment. */
const mostTries = 15;
const usualRetryPauseMs = 2000;

/**
 * Keeps account of suspensions, and carries out the last word: what was said while an action went on counts once, at its
 * end. An action that fails is tried again, as long as nobody says otherwise. Once disposed, no action is at work any more.
 */
export function trackSuspension(
  actions: SuspensionActions,
  complain: (error: unknown) => void,
  retryPauseMs = usualRetryPauseMs,
): Suspension {
  let since: number | undefined;
  let pastMs = 0;
  /** Undefined after a failure: half of the action may have been done. */
  let isDone: boolean | undefined = false;
  let isActing = false;
  let isOver = false;
  let acting = Promise.resolve();
  let current = new AbortController();
  const act = async (): Promise<void> => {
    isActing = true;
    for (let left = mostTries; !isOver && left > 0 && isDone !== (since !== undefined); left -= 1) {
      const isWanted = since !== undefined;
      const { signal } = current;
      isDone = undefined;
      try {
        await (isWanted ? actions.suspend(signal) : actions.resume(signal));
        isDone = isWanted;
        left = mostTries;
      } catch (error) {
        if (error === signal.reason) left = mostTries;
        else complain(error);
        await pause(retryPauseMs, { signal, keepsAlive: false });
      }
    }
    isActing = false;
  };
  return {
    set: (isSuspended) => {
      if (isSuspended === (since !== undefined)) return;
      current.abort();
      current = new AbortController();
      if (since !== undefined) pastMs += performance.now() - since;
      since = isSuspended ? performance.now() : undefined;
      if (!isActing) acting = act();
    },
    suspendedMs: () => pastMs + (since === undefined ? 0 : performance.now() - since),
    [Symbol.asyncDispose]: async () => {
      isOver = true;
      current.abort();
      await acting;
    },
  };
}

/**
 * Follows the signals of a suspension until disposed: SIGTSTP, about two seconds before the scheduler stops or freezes
 * this process, and SIGCONT. Slurm sends them to the tasks of a step alone, not to what those have started.
 */
export function followSuspensionSignals(suspension: Suspension): Disposable {
  const onSuspend = (): void => suspension.set(true);
  const onResume = (): void => suspension.set(false);
  process.on('SIGTSTP', onSuspend);
  process.on('SIGCONT', onResume);
  return {
    [Symbol.dispose]: () => {
      process.removeListener('SIGTSTP', onSuspend);
      process.removeListener('SIGCONT', onResume);
    },
  };
}
