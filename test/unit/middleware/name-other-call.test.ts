import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nameOtherCall } from '../../../src/middleware/name-other-call.ts';
import { readAllocation } from '../../../src/slurm/read-allocation.ts';
import { JobError } from '../../../src/values/errors.ts';

const busy = new JobError({
  code: 'JOB_BUSY',
  message: 'Another hpc-submit-dockerjob is running in this job.',
  hint: 'One call at a time.',
});
const ours = ['/opt/x/bin/node', '--disable-sigusr1', '/opt/x/dist/middleware.cjs', '--image', 'a:1'];

let proc: string;
beforeEach(async () => {
  proc = await mkdtemp(join(tmpdir(), 'proc-'));
});
afterEach(async () => await rm(proc, { recursive: true }));

interface Fake {
  readonly argv?: readonly string[];
  readonly job?: string;
  readonly since?: number;
}

async function addProcess(pid: number, { argv = ours, job = '7', since = pid }: Fake): Promise<void> {
  const directory = join(proc, String(pid));
  await mkdir(directory);
  const more = `SLURM_JOB_NODELIST=node1\0SLURM_TASKS_PER_NODE=1\0SLURMD_NODENAME=node1\0SLURM_NODEID=0`;
  await writeFile(join(directory, 'cmdline'), `${argv.join('\0')}\0`);
  await writeFile(join(directory, 'environ'), `A=b=c\0odd\0SLURM_JOB_ID=${job}\0${more}\0`);
  await writeFile(join(directory, 'stat'), `${pid} (a) b) c) S ${'0 '.repeat(18)}${since} 0 0\n`);
}

const named = async (thrown: unknown, job = '7'): Promise<unknown> =>
  await nameOtherCall(thrown, job, { readAllocation }, proc);

describe('a call that finds another in its job', () => {
  it('names that process, the oldest first, and how to end it', async () => {
    await addProcess(40, { since: 90 });
    await addProcess(300, { since: 80 });
    const error = await named(busy);
    expect(error).toMatchObject({ code: 'JOB_BUSY', exitStatus: 75 });
    expect((error as JobError).toLine()).toContain(
      'Another hpc-submit-dockerjob is running in this job: process 300, 40 on this host. One call at a time: wait until it has ended, or end it: kill 300.',
    );
  });

  it.each([
    ['of another job', { job: '8' }],
    ['of an element of no job', { job: '' }],
    ['that is another program', { argv: ['vi', '/opt/x/dist/middleware.cjs.bak'] }],
    ['that is this one', { pid: process.pid }],
  ] as const)('names no process %s', async (_, { pid = 40, ...fake }: Fake & { readonly pid?: number }) => {
    await addProcess(pid, fake);
    await mkdir(join(proc, '50')); // ended meanwhile
    expect(await named(busy)).toBe(busy);
  });

  it('keeps any other error, and its own where nobody may look', async () => {
    await addProcess(40, {});
    const lost = new JobError({ code: 'HELPER_LOST', message: 'It died.' });
    expect(await named(lost)).toBe(lost);
    expect(await nameOtherCall(busy, '7', { readAllocation }, join(proc, 'none'))).toBe(busy);
  });
});
