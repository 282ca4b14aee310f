import { defineConfig } from 'vitest/config';

const project = (name: string, more: object = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], environment: 'node', ...more },
});

/** Files that bring labs of their own up: other schedulers than Slurm. */
const filesWithOwnLabs = ['lsf-*', 'gridengine', 'hooks'].map((name) => `test/e2e/${name}.test.ts`);
/** One lab cluster for all files. */
const inLab = { testTimeout: 180_000, hookTimeout: 600_000, fileParallelism: false };

export default defineConfig({
  test: {
    projects: [
      project('unit'),
      // Real etcd, dockerd and ssh: one file at a time, two cores are not many.
      project('integration', { testTimeout: 60_000, hookTimeout: 120_000, fileParallelism: false }),
      project('e2e', { ...inLab, exclude: filesWithOwnLabs, globalSetup: ['test/e2e/global-setup.ts'] }),
      project('e2e-labs', { ...inLab, include: filesWithOwnLabs, globalSetup: ['test/e2e/own-labs-setup.ts'] }),
    ],
  },
});
