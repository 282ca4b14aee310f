import { expect, it } from 'vitest';
import { requireJobKey } from '../../../src/contract/job-key.ts';
import { findPlace, readJob } from '../../../src/middleware/shell/find-place.ts';
import type { JobReach } from '../../../src/ports/scheduler.ts';

const job = requireJobKey('772_3');
const reached = { job, schedulerJobId: '775', hosts: ['c7.example.org', 'c2.example.org', 'c9.example.org'] };
const reach: JobReach = {
  findJob: (text) => Promise.resolve(['772_3', '775'].includes(text) ? reached : undefined),
  launchBeside: () => ({ file: 'srun', argv: [], environment: {} }),
};
const slurm = { reaches: [reach], areAll: true };
const none = { reaches: [], areAll: false };

it.each([
  ['772', '772'],
  ['772_3', '772_3'],
  ['772[3]', '772_3'],
  ['772.3', '772_3'],
])('reads the job %s as %s', (text, key) => expect(readJob(text)).toBe(key));

it.each(['', '0772', '-1', '772_', '772[3', '772]', '772.3.4', '772 3', '../772', '--help', '772;id', '1'.repeat(19)])(
  'refuses %j for a job',
  (text) => expect(() => readJob(text)).toThrow(expect.objectContaining({ code: 'JOB_KEY_INVALID' }) as Error),
);

it.each([
  ['775', undefined, 'c7', 'here', 0],
  ['775', '0', 'c7.example.org', 'here', 0],
  ['772_3', undefined, 'login', 'elsewhere', 0],
  ['772_3', '1', 'login', 'elsewhere', 1],
  ['772_3', 'c9', 'login', 'elsewhere', 2],
  ['772_3', 'c2.example.org', 'c2', 'here', 1],
])('finds node %j %j, asked on %s, %s', async (text, node, own, kind, index) => {
  expect(await findPlace({ job: text, node }, slurm, own)).toMatchObject({ kind, index });
});

it('names the job as the helper knows it, and the host as the scheduler does', async () => {
  expect(await findPlace({ job: '775', node: undefined }, slurm, 'c7')).toMatchObject({ job });
  expect(await findPlace({ job: '775', node: '2' }, slurm, 'login')).toMatchObject({ reached, host: 'c9.example.org' });
});

it.each(['3', '-1', '00', '1e0', 'c1', '--pty', '', ' ', '0x1', 'c7,c2'])('refuses node %j', async (node) => {
  await expect(findPlace({ job: '775', node }, slurm, 'login')).rejects.toMatchObject({
    code: 'USAGE',
    hint: expect.stringContaining('c7.example.org, c2.example.org') as string,
  });
});

it('says at once that a job does not run where all schedulers have been asked', async () => {
  await expect(findPlace({ job: '9', node: undefined }, slurm, 'login')).rejects.toMatchObject({
    code: 'JOB_NOT_YOURS',
  });
});

it('leaves it to the helper of this host where a scheduler tells users nothing', async () => {
  expect(await findPlace({ job: '772[3]', node: undefined }, none, 'c7')).toEqual({ kind: 'here', job, index: 0 });
  expect(await findPlace({ job: '9', node: '1' }, { ...slurm, areAll: false }, 'c7')).toMatchObject({ index: 1 });
  await expect(findPlace({ job: '9', node: 'c7' }, none, 'c7')).rejects.toMatchObject({ code: 'USAGE' });
});
