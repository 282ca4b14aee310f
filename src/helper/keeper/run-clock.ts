/** How long a job has run, in the sense of its application's `maxRunSeconds`. */
export interface RunClock {
  /** Whether every node of the job is paused now; repeat-safe. */
  setPaused(isPaused: boolean): void;
  /** Milliseconds that are left of the limit: none when it is not above 0. Never fails. */
  leftMs(): Promise<number>;
}

/** Until the scheduler is asked again that could not be asked. */
const askAgainMs = 10_000;

/**
 * Starts to count. Time does not count while every node is paused, as far as the scheduler says that it has suspended the
 * job: users can pause nodes by signals to their own steps, one node alone too, but not make the scheduler say that.
 * Without its word, `readSuspendedSeconds`, all time counts.
 */
export function startRunClock(limitMs: number, readSuspendedSeconds: (() => Promise<number>) | undefined): RunClock {
  const startedMs = performance.now();
  let pastPausedMs = 0;
  let pausedSinceMs: number | undefined;
  const pausedMs = (): number => pastPausedMs + (pausedSinceMs === undefined ? 0 : performance.now() - pausedSinceMs);
  return {
    setPaused: (isPaused) => {
      if (isPaused === (pausedSinceMs !== undefined)) return;
      pastPausedMs = pausedMs();
      pausedSinceMs = isPaused ? performance.now() : undefined;
    },
    leftMs: async () => {
      const leftWithout = limitMs - (performance.now() - startedMs);
      const paused = pausedMs();
      if (paused === 0 || readSuspendedSeconds === undefined) return leftWithout;
      try {
        return leftWithout + Math.min(paused, (await readSuspendedSeconds()) * 1000);
      } catch {
        return Math.min(leftWithout + paused, askAgainMs);
      }
    },
  };
}
