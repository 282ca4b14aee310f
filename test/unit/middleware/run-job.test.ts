import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { runJob } from '../../../src/middleware/run-job.ts';
import type { Scheduler } from '../../../src/ports/scheduler.ts';
import { JobError } from '../../../src/shared/errors.ts';
import { requireJobKey } from '../../../src/shared/job-key.ts';

it('a launcher that is missing is told before the helper is started', async () => {
  const missing = new JobError({ code: 'LAUNCHER_FAILED', message: 'srun is not on this host.' });
  const scheduler: Scheduler = {
    name: 'slurm',
    suspendsBatchScript: false,
    readAllocation: () => ({
      scheduler: 'slurm',
      schedulerJobId: '772',
      job: requireJobKey('772'),
      hosts: [{ name: 'node1', slots: 1 }],
    }),
    launchOnEveryHost: () => {
      throw missing;
    },
  };
  const command = { kind: 'argv' as const, argv: ['true'] };
  const request = { command, workdir: tmpdir(), environment: {}, mounts: [] };
  const progress = { say: () => undefined, show: () => undefined, phaseTimesMs: {} };
  const run = runJob({ request, scheduler, environment: {}, uid: process.getuid?.() ?? 0, progress });
  // A helper that was started first would be refused or missing, and the job with its words.
  await expect(run).rejects.toBe(missing);
});
