import type { WantedState } from '../contract/helper-events.ts';
import { takeEarlySignals } from '../system/early-signals.ts';

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

type Route = (targets: SignalTargets) => void;

const routes: ReadonlyMap<NodeJS.Signals, Route> = new Map<NodeJS.Signals, Route>([
  ['SIGINT', ({ cancel }) => cancel('SIGINT')],
  ['SIGTERM', ({ cancel }) => cancel('SIGTERM')],
  ['SIGHUP', ({ cancel }) => cancel('SIGHUP')],
  ['SIGUSR1', ({ forward }) => forward('SIGUSR1')],
  ['SIGUSR2', ({ forward }) => forward('SIGUSR2')],
  // Who listens to TSTP is not stopped by it; SIGSTOP, which nobody hears, is told when it is over.
  ['SIGTSTP', ({ want }) => want?.('suspended')],
  ['SIGCONT', ({ want }) => want?.('running')],
]);

/** Does what a signal to the batch script means. */
export function routeSignal(signal: NodeJS.Signals, targets: SignalTargets): void {
  routes.get(signal)?.(targets);
}

/**
 * Passes signals on until disposed, beginning with those for the command that came too early. The process itself goes on:
 * it has to report how the job ended.
 */
export function passSignals(targets: SignalTargets): Disposable {
  const isSteering = (signal: NodeJS.Signals): boolean => signal === 'SIGTSTP' || signal === 'SIGCONT';
  const heard = [...routes.keys()].filter((signal) => targets.want !== undefined || !isSteering(signal));
  const handle = (signal: NodeJS.Signals): void => routeSignal(signal, targets);
  for (const signal of heard) process.on(signal, handle);
  takeEarlySignals(process.env).forEach(handle);
  return { [Symbol.dispose]: () => heard.forEach((signal) => process.removeListener(signal, handle)) };
}
