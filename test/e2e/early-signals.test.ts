/** Signals that mean the command of a job, by the scheduler's own hand: while the job starts, and at its end. */
import { beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { e2eLab } from '../support/e2e-lab.ts';
import type { BatchJob } from '../support/e2e-jobs.ts';
import { cancelJob, findLastingLeftovers, startBatch } from '../support/e2e-jobs.ts';
import { readScratchFile } from '../support/lab-job.ts';
import { until } from '../support/until.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await e2eLab();
});

/** Takes a moment until it listens, as real programs do; says what has come, and ends with 7. */
const command = `sh -c 'sleep 0.5; trap "echo got USR1" USR1; trap "echo got USR2" USR2; echo ready; while [ ! -e over ]; do sleep 0.1; done; exit 7'`;
const script = `exec hpc-submit-dockerjob --image lab/mpi:1 -- ${command}`;

/** Sends both signals again and again until that line of the job has come. */
async function bombardUntil(job: BatchJob, text: string, ...options: readonly string[]): Promise<number> {
  let sent = 0;
  while (!(await job.stderr()).includes(text)) {
    for (const signal of ['USR2', 'USR1']) await cancelJob(lab, job.id, `--signal=${signal}`, ...options);
    sent += 1;
  }
  return sent;
}

describe('USR1 and USR2 from the first line of a job on', () => {
  it.each([
    ['the steps of a job on two hosts', ['-N2', '-n2'], []],
    ['the step of a job on one host', ['-N1', '-n1'], []],
    ['the batch script', ['-N2', '-n2'], ['--batch']],
  ] as const)('sent to %s reach the command once it listens, and end nothing', async (_, sbatch, options) => {
    const job = await startBatch(lab, script, { sbatch });
    await job.shows('  job ');
    // A batch script is told once: of Node's own first moments SIGUSR2 could end it.
    if (options.length === 0) expect(await bombardUntil(job, 'gathered', ...options)).toBeGreaterThan(1);
    else for (const signal of ['USR2', 'USR1']) await cancelJob(lab, job.id, `--signal=${signal}`, ...options);
    await job.shows('ready', 'out');
    for (const signal of ['USR1', 'USR2']) await job.shows(`got ${signal}`, 'out', 5000);
    await cancelJob(lab, job.id, '--signal=USR1', ...options);
    await mustRun(lab, 'node1', ['touch', `${job.directory}/over`]);
    const { exitCode, stdout, stderr } = await job.end();
    expect(exitCode).toBe('7:0');
    expect(stdout).toMatch(/^ready\n/);
    expect(stdout.match(/got USR2/g)).toHaveLength(1);
    expect(stderr).not.toMatch(/inspector|NODE_LATE|NODE_LOST/i);
    expect(stderr).toContain('nothing is left behind');
    expect(await findLastingLeftovers(lab)).toEqual([]);
  });
});

/** The recipe of the user guide for checkpoints. */
const saving = `exec hpc-submit-dockerjob --image lab/mpi:1 -- sh -c '
  setsid mpirun ./solver & mpirun=$!
  trap "kill -USR1 $mpirun" TERM
  wait $mpirun; wait $mpirun'`;
/** Takes two seconds to save, and must not be hurried. */
const solver = `#!/bin/sh
trap 'sleep 2; echo saved >> log; exit 0' USR1
echo up >> log
while :; do sleep 0.1; done`;

describe('scancel', () => {
  it('lets every rank on every host save what it has, by the recipe of the user guide', async () => {
    const job = await startBatch(lab, `cat > solver <<'E'\n${solver}\nE\nchmod +x solver\n${saving}`);
    const lines = async (word: string): Promise<number> =>
      (await readScratchFile(lab, `${job.directory}/log`).then(String, () => ''))
        .split('\n')
        .filter((line) => line === word).length;
    await until('every rank', 30_000, async () => (await lines('up')) === 3 || `${await lines('up')} are up`);
    await cancelJob(lab, job.id);
    const { state, stderr } = await job.end();
    expect([state, await lines('saved')]).toEqual(['CANCELLED', 3]);
    expect(stderr).toContain('nothing is left behind');
    expect(await findLastingLeftovers(lab)).toEqual([]);
  });
});

describe('timeout', () => {
  it('ends a call as scancel ends a job, although it signals the whole process group', async () => {
    const call = `timeout 600 hpc-submit-dockerjob --image lab/mpi:1 -- sh -c 'trap "echo saved; exit" TERM; echo ready; sleep 60 & wait'`;
    const job = await startBatch(lab, `${call} & echo $! > pid; wait $!; echo "status $?"`, { sbatch: ['-N2', '-n2'] });
    await job.shows('ready', 'out');
    // As when its time is over, but at a moment of ours.
    await mustRun(lab, 'node1', ['sh', '-c', `kill -s TERM "$(cat ${job.directory}/pid)"`]);
    const { stdout, stderr } = await job.end();
    expect(stdout.trim().split('\n')).toEqual(['ready', 'saved', 'status 143']);
    expect(stderr).toContain('[TERMINATED]');
    expect(stderr).toContain('nothing is left behind');
    expect(stderr).not.toContain('Killed');
    expect(await findLastingLeftovers(lab)).toEqual([]);
  });
});
