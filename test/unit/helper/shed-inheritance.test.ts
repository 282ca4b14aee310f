import path from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';

const entry = path.resolve('src/helper/helper-entry.ts');

test.each([[['release-node', '7']], [['--help']], [[]]])(
  'root of a user namespace is told in one line that it is not root of the host, with %j',
  async (argv) => {
    const inside = ['--user', '--map-root-user', '--', process.execPath, entry, ...argv];
    const { exitCode, stdout, stderr } = await execa('unshare', inside, { reject: false, timeout: 20_000 });
    expect(stderr).toMatch(/^hpc-dockerjob-helper: [^\n]*user namespace[^\n]*\[NOT_PERMITTED\]$/);
    expect([exitCode, stdout]).toEqual([77, '']);
  },
);
