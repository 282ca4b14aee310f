import type { SignalWatch } from '../../lab/take-down-on-signal.ts';
import { takeDownOnSignal } from '../../lab/take-down-on-signal.ts';
import { takeDown } from '../../lab/take-down.ts';
import { e2eLabs } from '../support/e2e-lab.ts';

const isKept = process.env['HPCDJ_KEEP_LAB'] === '1';
let watch: SignalWatch | undefined;

/** The files bring the lab of the stand-in up themselves, each as the LSF that it wants; it is taken down once. */
export function setup(): void {
  if (!isKept) watch = takeDownOnSignal([e2eLabs.lsfJobs, e2eLabs.lsf, e2eLabs.hooks], console.error);
}

export async function teardown(): Promise<void> {
  await watch?.settle();
  if (!isKept) await takeDown({ name: e2eLabs.lsfJobs });
}
