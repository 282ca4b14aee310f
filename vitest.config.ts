import { defineConfig } from 'vitest/config';

const project = (name: string, more: object = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], environment: 'node', ...more },
});

export default defineConfig({
  test: {
    projects: [
      project('unit'),
      // Real etcd, dockerd and ssh: one file at a time, two cores are not many.
      project('integration', { testTimeout: 60_000, hookTimeout: 120_000, fileParallelism: false }),
      // One lab cluster for all files.
      project('e2e', {
        testTimeout: 180_000,
        hookTimeout: 600_000,
        fileParallelism: false,
        globalSetup: ['test/e2e/global-setup.ts'],
      }),
    ],
  },
});
