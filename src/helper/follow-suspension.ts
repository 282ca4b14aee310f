/** What is to be done when a job is suspended, and when it goes on. */
export interface SuspensionActions {
  suspend(): Promise<void>;
  resume(): Promise<void>;
}

/** Whether the job is suspended, and for how long it has been. */
export interface Suspension {
  /** Repeat-safe; the actions follow each other, and what one throws goes to `complain`. */
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

/** Keeps account of suspensions. */
export function trackSuspension(actions: SuspensionActions, complain: (error: unknown) => void): Suspension {
  let since: number | undefined;
  let pastMs = 0;
  let last = Promise.resolve();
  return {
    set: (isSuspended) => {
      if (isSuspended === (since !== undefined)) return;
      if (since !== undefined) pastMs += performance.now() - since;
      since = isSuspended ? performance.now() : undefined;
      last = last.then(async () => await (isSuspended ? actions.suspend() : actions.resume())).catch(complain);
    },
    suspendedMs: () => pastMs + (since === undefined ? 0 : performance.now() - since),
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
