/** What a job's container may do and use: system calls, core files, the disk of the Docker Engine, shared memory. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lab } from '../../lab/running-lab.ts';
import { e2eLab, runBatch } from '../support/e2e-lab.ts';
import { findLastingLeftovers, inMpi } from '../support/e2e-jobs.ts';

let lab: Lab;

beforeAll(async () => {
  lab = await e2eLab();
});

afterAll(async () => {
  expect(await findLastingLeftovers(lab)).toEqual([]);
});

const quiet = inMpi.replace('--image', '--quiet --image');
const onOneHost = ['-N1', '-n2', '--mem=900M'];

describe('a job', () => {
  it('binds its ranks and their memory without a word of warning', async () => {
    const job = await runBatch(lab, `${quiet} mpirun --bind-to core hostname`, { sbatch: onOneHost });
    expect([job.exitCode, job.stderr]).toEqual(['0:0', '']);
    expect(job.stdout.split('\n')).toEqual([`${job.id}-node-0`, `${job.id}-node-0`]);
  });

  it('gets a core file in its directory when it asks for one, and none otherwise', async () => {
    const crash = 'sh -c "kill -SEGV \\$\\$"; ls | grep -c ^core';
    const script = `${quiet} sh -c '${crash}'; ${quiet} sh -c 'ulimit -c unlimited; ${crash}'`;
    const job = await runBatch(lab, script, { sbatch: onOneHost });
    expect(job.stdout.split('\n').filter((line) => /^\d+$/.test(line))).toEqual(['0', '1']);
  });
});
