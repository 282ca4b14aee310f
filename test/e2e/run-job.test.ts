import { beforeAll, describe, expect, it } from 'vitest';
import { findLeftovers } from '../../lab/find-leftovers.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { e2eLab, runBatch } from '../support/e2e-lab.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await e2eLab();
});

describe('a job on three hosts', () => {
  it('runs one rank per host with a plain mpirun line and ends with its status', async () => {
    const job = await runBatch(
      lab,
      'hpc-submit-dockerjob --image lab/mpi:1 -- mpirun sh -c \'echo "rank $OMPI_COMM_WORLD_RANK of $OMPI_COMM_WORLD_SIZE on $(hostname) as $(id -u)"\'',
    );
    expect(job.stderr).toContain('nothing is left behind');
    expect(job).toMatchObject({ state: 'COMPLETED', exitCode: '0:0' });
    expect(job.stdout.trim().split('\n').toSorted()).toEqual(
      [0, 1, 2].map((n) => `rank ${n} of 3 on ${job.id}-node-${n} as 2001`),
    );
    expect(await findLeftovers(lab)).toEqual([]);
  });

  it('passes on the status of a failing command', async () => {
    const job = await runBatch(lab, "export COMMAND='exit 42'; hpc-submit-dockerjob --image lab/mpi:1");
    expect(job).toMatchObject({ state: 'FAILED', exitCode: '42:0' });
    expect(await findLeftovers(lab)).toEqual([]);
  });
});

describe('a job on one host', () => {
  it('runs in an image that holds nothing but busybox', async () => {
    const job = await runBatch(lab, 'hpc-submit-dockerjob --image lab/tiny:1 -- /bin/busybox id -u', {
      sbatch: ['-N1', '-n2'],
    });
    expect(job).toMatchObject({ state: 'COMPLETED', exitCode: '0:0', stdout: '2001' });
    expect(await findLeftovers(lab)).toEqual([]);
  });
});
