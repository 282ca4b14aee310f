import { bringUp } from '../../lab/lab.ts';
import type { SignalWatch } from '../../lab/take-down-on-signal.ts';
import { takeDownOnSignal } from '../../lab/take-down-on-signal.ts';
import { takeDown } from '../../lab/take-down.ts';
import { e2eLabs } from '../support/e2e-lab.ts';

// HPCDJ_KEEP_LAB=1: for work on the tests; the next run repairs and re-uses it.
const isKept = process.env['HPCDJ_KEEP_LAB'] === '1';
let watch: SignalWatch | undefined;

/** One lab for all end-to-end tests; taken down also when bringing it up failed half-way, or the run is interrupted. */
export async function setup(): Promise<void> {
  if (!isKept) watch = takeDownOnSignal([e2eLabs.shared, e2eLabs.second, e2eLabs.killed], console.error);
  try {
    await bringUp({
      name: e2eLabs.shared,
      hosts: 3,
      images: ['mpi', 'tiny'],
      report: (line) => console.error(`lab  ${line}`),
    });
  } catch (error) {
    await watch?.settle();
    await teardown();
    throw error;
  }
}

export async function teardown(): Promise<void> {
  await watch?.settle();
  if (!isKept) await takeDown({ name: e2eLabs.shared });
}
