import { defineConfig } from 'vitest/config';
import { patient } from './lab/patience.ts';
import { TellFailures } from './test/support/tell-failures.ts';

const project = (name: string, more: object = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], environment: 'node', ...more },
});

/** Files that bring labs of their own up, for other schedulers than Slurm. */
const lsfFiles = ['lsf-*', 'hooks'].map((name) => `test/e2e/${name}.test.ts`);
const gridEngineFiles = ['test/e2e/gridengine.test.ts'];
/** Files that mostly wait for limits, leases and hosts that come back: `npm run test:long`, so that `npm test` stays short. */
const longFiles = ['lost-hosts', 'run-limit', 'silent-engine', 'still-helper'].map(
  (name) => `test/e2e/${name}.test.ts`,
);
const longLsfFiles = ['lsf-prologue', 'lsf-requeue'].map((name) => `test/e2e/${name}.test.ts`);
/** A test may fail of a machine that stands still for seconds: tried once more, and told (`TellFailures`). */
const retry = 1;
const besideDaemons = { retry, fileParallelism: false };
/** One lab cluster for all files. */
const inLab = { ...besideDaemons, testTimeout: patient(180_000), hookTimeout: patient(600_000) };

export default defineConfig({
  test: {
    reporters: ['default', new TellFailures()],
    projects: [
      // Many of them wait, for deadlines and for processes: more at a time than there are cores, so that a single one may wait long.
      project('unit', { retry, maxWorkers: 5, testTimeout: 30_000 }),
      // Real etcd, dockerd and ssh: one file at a time, two cores are not many.
      project('integration', { ...besideDaemons, testTimeout: 60_000, hookTimeout: 120_000 }),
      project('e2e', {
        ...inLab,
        include: ['test/e2e/**/*.test.ts', 'test/attacks/**/*.test.ts'],
        exclude: [...lsfFiles, ...gridEngineFiles, ...longFiles],
        globalSetup: ['test/e2e/global-setup.ts'],
      }),
      project('e2e-lsf', {
        ...{ ...inLab, include: lsfFiles, exclude: longLsfFiles, globalSetup: ['test/e2e/lsf-setup.ts'] },
      }),
      project('e2e-long', { ...inLab, include: longFiles, globalSetup: ['test/e2e/global-setup.ts'] }),
      project('e2e-lsf-long', { ...inLab, include: longLsfFiles, globalSetup: ['test/e2e/lsf-setup.ts'] }),
      project('e2e-gridengine', {
        ...{ ...inLab, include: gridEngineFiles, globalSetup: ['test/e2e/gridengine-setup.ts'] },
      }),
    ],
  },
});
