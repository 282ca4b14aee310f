import { bringUp } from '../../lab/lab.ts';
import { takeDown } from '../../lab/take-down.ts';
import { e2eLabName } from '../support/e2e-lab.ts';

/** One lab for all end-to-end tests; taken down also when bringing it up failed half-way. */
export async function setup(): Promise<void> {
  try {
    await bringUp({
      name: e2eLabName,
      hosts: 3,
      images: ['mpi', 'tiny'],
      report: (line) => console.error(`lab  ${line}`),
    });
  } catch (error) {
    await teardown();
    throw error;
  }
}

export async function teardown(): Promise<void> {
  // HPCDJ_KEEP_LAB=1: for work on the tests; the next run repairs and re-uses it.
  if (process.env['HPCDJ_KEEP_LAB'] !== '1') await takeDown({ name: e2eLabName });
}
