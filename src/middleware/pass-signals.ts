import type { WantedState } from '../shared/helper-events.ts';

/** What becomes of the signals that the scheduler sends to the batch script. */
export interface SignalTargets {
  /** The job is to end. */
  readonly cancel: (signal: NodeJS.Signals) => void;
  /** Meant for the job's program: a warning before the time limit, say. */
  readonly forward: (signal: NodeJS.Signals) => void;
  /** The job is to stand still, or to go on; left out where the scheduler sees to that by itself. */
  readonly want?: (state: WantedState) => void;
}

/** From now on no signal that is meant for the command ends this program; before, during and after the job. */
export function outliveCommandSignals(): void {
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => undefined);
}

/** Passes signals on until disposed. The process itself goes on: it has to report how the job ended. */
export function passSignals(targets: SignalTargets): Disposable {
  const { want } = targets;
  const routes: readonly (readonly [NodeJS.Signals, (signal: NodeJS.Signals) => void])[] = [
    ['SIGINT', targets.cancel],
    ['SIGTERM', targets.cancel],
    ['SIGHUP', targets.cancel],
    ['SIGUSR1', targets.forward],
    ['SIGUSR2', targets.forward],
    // Who listens to TSTP is not stopped by it; SIGSTOP, which nobody hears, is told when it is over.
    ...(want === undefined
      ? []
      : ([
          ['SIGTSTP', () => want('suspended')],
          ['SIGCONT', () => want('running')],
        ] as const)),
  ];
  for (const [signal, route] of routes) process.on(signal, route);
  return { [Symbol.dispose]: () => routes.forEach(([signal, route]) => process.removeListener(signal, route)) };
}
