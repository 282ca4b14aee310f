import { beforeAll, describe, expect, it } from 'vitest';
import { findLeftovers } from '../../lab/find-leftovers.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { e2eLab, runBatch } from '../support/e2e-lab.ts';

interface Usage {
  readonly cpuSeconds: number;
  readonly nodes: readonly { readonly host: string; readonly cpuSeconds: number; readonly peakMemoryBytes: number }[];
}

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

  it('tells what each container has used, which the scheduler does not see', async () => {
    const rank = 'dd if=/dev/zero of=/dev/shm/full bs=1M count=96 2>&1; (ulimit -t 1; while :; do :; done); true';
    const job = await runBatch(
      lab,
      `hpc-submit-dockerjob --image lab/mpi:1 --json=usage.json -- mpirun sh -c '${rank}'; cat usage.json`,
    );
    const { usage } = JSON.parse(job.stdout.trim().split('\n').at(-1) ?? '') as { usage: Usage };
    expect(usage.nodes.map(({ host }) => host)).toEqual(['node1', 'node2', 'node3']);
    for (const { cpuSeconds, peakMemoryBytes } of usage.nodes) {
      expect(cpuSeconds).toBeGreaterThan(0.9);
      expect(peakMemoryBytes).toBeGreaterThan(96 * 2 ** 20);
      expect(peakMemoryBytes).toBeLessThan(400 * 2 ** 20);
    }
    expect(usage.cpuSeconds).toBeCloseTo(
      usage.nodes.reduce((sum, node) => sum + node.cpuSeconds, 0),
      3,
    );
    expect(job.stderr).toMatch(/ used {6}\d+\.\d s of CPU time, at most \d+(?:\.\d)? MiB of memory on node\d/);
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
