import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { runHeldJob } from '../../../../src/middleware/lsf/prologue/run-held-job.ts';

const input = {
  uid: process.getuid?.() ?? 0,
  cwd: () => '/',
  output: { stdout: new PassThrough(), stderr: new PassThrough() },
};

it.each([
  ['outside of a job', {}],
  ['in a job whose hosts nobody can read', { LSB_JOBID: '772', LSB_DJOB_HOSTFILE: '/nowhere' }],
])('a command that needs no container meets no fault of ours %s', async (_, environment) => {
  expect(await runHeldJob({ kind: 'host', argv: ['true'] }, { ...input, environment })).toBeUndefined();
});
