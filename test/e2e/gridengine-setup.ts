import type { SignalWatch } from '../../lab/take-down-on-signal.ts';
import { takeDownOnSignal } from '../../lab/take-down-on-signal.ts';
import { e2eLabs } from '../support/e2e-lab.ts';

let watch: SignalWatch | undefined;

/** The file brings its lab up and takes it down itself; an interrupted run leaves none. */
export function setup(): void {
  if (process.env['HPCDJ_KEEP_LAB'] !== '1') watch = takeDownOnSignal([e2eLabs.gridEngine], console.error);
}

export async function teardown(): Promise<void> {
  await watch?.settle();
}
