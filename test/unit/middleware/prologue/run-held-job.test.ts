import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import {
  claimHolderDirectory,
  holderDirectory,
  holderSocket,
} from '../../../../src/middleware/lsf/prologue/held-job.ts';
import { runHeldJob } from '../../../../src/middleware/lsf/prologue/run-held-job.ts';
import { serveStarter } from '../../../../src/middleware/lsf/prologue/serve-starter.ts';
import { requireJobKey } from '../../../../src/contract/job-key.ts';

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

it('a job for which containers were started never runs on the host for want of an image', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'hpcdj-run-held-'));
  try {
    const directory = holderDirectory(input.uid, parent);
    await claimHolderDirectory(directory, input.uid);
    const server = await serveStarter(holderSocket(directory, requireJobKey('772')), { workdir: '/' });
    const cancelled = Promise.withResolvers<NodeJS.Signals>();
    server.listen({ cancel: cancelled.resolve, forward: () => undefined });
    const environment = { LSB_JOBID: '772', LSB_MCPU_HOSTS: 'node1 1 ' };
    const plan = { kind: 'host', argv: ['true'], isWithoutImage: true } as const;
    const running = runHeldJob(plan, { ...input, environment, parent }).catch((error: unknown) => error);
    await cancelled.promise;
    await server.finish({ by: 'command', exitStatus: 0 });
    expect(await running).toMatchObject({ code: 'CONFIG_INVALID' });
    // Where nothing was started the site has promised nothing.
    expect(await runHeldJob(plan, { ...input, environment, parent })).toBeUndefined();
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
});
