/**
 * Signals that mean a job's command and came before this program could pass them on: to the shell that starts it (which
 * names them in HPCDJ_EARLY_SIGNALS), or to the boot file, which listens before all else (scripts/build.ts).
 */

export type EarlySignal = 'SIGUSR1' | 'SIGUSR2';

const names: readonly EarlySignal[] = ['SIGUSR1', 'SIGUSR2'];
const variable = 'HPCDJ_EARLY_SIGNALS';

/** Each that has come by now, once; the next call gives those that have come since. Takes the shell's word out of `environment`. */
export function takeEarlySignals(environment: NodeJS.ProcessEnv): readonly EarlySignal[] {
  const told = (environment[variable] ?? '').split(' ');
  Reflect.deleteProperty(environment, variable);
  const heard: unknown = Reflect.get(globalThis, Symbol.for('hpcdj.early-signals'));
  const noted: readonly unknown[] = Array.isArray(heard) ? heard.splice(0) : [];
  return names.filter((name) => told.includes(name) || noted.includes(name));
}
