import { defineConfig } from 'vitest/config';

const project = (name: string, more: object = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], environment: 'node', ...more },
});

/** Tests of LSF have a lab of their own. */
const lsfFiles = 'test/e2e/lsf-*.test.ts';
/** One lab cluster for all files. */
const inLab = { testTimeout: 180_000, hookTimeout: 600_000, fileParallelism: false };

export default defineConfig({
  test: {
    projects: [
      project('unit'),
      // Real etcd, dockerd and ssh: one file at a time, two cores are not many.
      project('integration', { testTimeout: 60_000, hookTimeout: 120_000, fileParallelism: false }),
      project('e2e', { ...inLab, exclude: [lsfFiles], globalSetup: ['test/e2e/global-setup.ts'] }),
      project('e2e-lsf', { ...inLab, include: [lsfFiles], globalSetup: ['test/e2e/lsf-global-setup.ts'] }),
    ],
  },
});
