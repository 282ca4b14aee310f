/** `maxRunSeconds`: what a user does to his own processes must not buy him time. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { productRoot } from '../../lab/layout.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { findLastingLeftovers, signalProgram, startBatch, tryAs } from '../support/e2e-jobs.ts';
import { until } from '../support/until.ts';
import { e2eLab } from '../support/e2e-lab.ts';
import { changeSite, quickSite } from '../support/e2e-site.ts';

const helper = `${productRoot}/bin/hpc-dockerjob-helper`;

const limitSeconds = 5;

let lab: Lab;
const undo = new AsyncDisposableStack();
beforeAll(async () => {
  lab = await e2eLab();
  const applications = { short: { image: 'lab/mpi:1', maxRunSeconds: limitSeconds } };
  undo.use(await changeSite(lab, { ...quickSite, applications }));
});
afterAll(async () => await undo.disposeAsync());
afterEach(async () => expect(await findLastingLeftovers(lab)).toEqual([]));

/** Prints a line in each second that it runs. */
const counting = "export APPLICATION=short COMMAND='while date; do sleep 1; done'; hpc-submit-dockerjob";
const secondsRun = (job: { readonly stdout: string }): number => job.stdout.trim().split('\n').length;
const alice = async (...argv: readonly string[]): Promise<void> =>
  expect(await tryAs(lab, 'node1', 'alice', ...argv)).toEqual({ exitCode: 0, text: '' });

/** A launcher of the user's own: a step for each host, so that he can signal one alone. */
const ownLauncher = `mkdir -p bin; cat >bin/srun <<'END'
#!/bin/bash
while [ "$1" != -- ]; do shift; done
for host in node1 node2; do /usr/bin/srun --overlap --mem=0 --mpi=none --input=none --quiet -N1 -n1 -w $host "$@" & done
wait
END
chmod +x bin/srun; export PATH=$PWD/bin:$PATH`;

/** The step of a job on a host, beside those of Slurm's own. */
async function findStep(jobId: string, host: string): Promise<string> {
  const steps = await mustRun(lab, 'node1', ['squeue', '--steps', '--noheader', '--format=%i %N']);
  const found = steps.split('\n').map((line) => line.trim().split(/ +/));
  return found.find(([id = '', name]) => id.startsWith(`${jobId}.`) && /\d$/.test(id) && name === host)?.[0] ?? '';
}

describe('the run limit of an application', () => {
  it('is not stretched by a user who suspends one of his nodes', async () => {
    const job = await startBatch(lab, `${ownLauncher}\n${counting}`, { sbatch: ['-N2', '-n2', '-w', 'node1,node2'] });
    await job.shows('ready');
    // Slurm 22.05 asks all nodes of the job: those without the step complain, its own obeys.
    await tryAs(lab, 'node1', 'alice', 'scancel', '--signal=TSTP', await findStep(job.id, 'node2'));
    const paused = ['docker', 'ps', '--quiet', '--filter', 'status=paused'];
    await until('a paused node', 4000, async () => (await mustRun(lab, 'node2', paused)) !== '' || 'none is paused');
    expect(await mustRun(lab, 'node1', paused)).toBe('');
    const ended = await job.end(20_000);
    expect(ended.stderr).toContain('[TIME_LIMIT]');
    expect(secondsRun(ended)).toBeLessThanOrEqual(limitSeconds + 1);
  });

  it('is not stretched by a user who suspends all of his job', async () => {
    const job = await startBatch(lab, counting, { sbatch: ['-N1', '-n1'] });
    await job.shows('ready');
    await alice('scancel', '--signal=TSTP', job.id);
    const ended = await job.end(20_000);
    expect(ended.stderr).toContain('[TIME_LIMIT]');
    expect(ended.seconds).toBeLessThan(limitSeconds + 5);
  });

  it('goes on to count after a suspension by the scheduler, whose time does not count', async () => {
    const job = await startBatch(lab, counting, { sbatch: ['-N1', '-n1'] });
    await job.shows('ready');
    await mustRun(lab, 'node1', ['scontrol', 'suspend', job.id]);
    await pause(2 * limitSeconds * 1000);
    await mustRun(lab, 'node1', ['scontrol', 'resume', job.id]);
    const ended = await job.end(20_000);
    expect(ended.stderr).toContain('[TIME_LIMIT]');
    expect(secondsRun(ended)).toBeGreaterThanOrEqual(limitSeconds - 1);
  });

  it('is enforced by the timer of root when the keeper and all else of the job stand still', async () => {
    const job = await startBatch(lab, counting, { sbatch: ['-N1', '-n1', '-w', 'node1'] });
    await job.shows('ready');
    await alice('scancel', '--full', '--signal=STOP', job.id);
    // The keeper has a session of its own, which a user's signal does not reach.
    await signalProgram(lab, 'node1', 'keeper', job.id, 'STOP');
    try {
      await pause(2 * limitSeconds * 1000);
      expect(await mustRun(lab, 'node1', ['docker', 'ps', '--quiet'])).not.toBe('');
      const { startSeconds, discoverSeconds, releaseSeconds } = quickSite.deadlines;
      await pause((startSeconds + discoverSeconds + releaseSeconds - limitSeconds + 2) * 1000);
      expect(await mustRun(lab, 'node1', [helper, 'reap'])).toBe(`released: ${job.id}`);
      expect(await mustRun(lab, 'node1', ['docker', 'ps', '--all', '--quiet'])).toBe('');
    } finally {
      await signalProgram(lab, 'node1', 'keeper', job.id, 'CONT').catch(() => undefined); // it may be gone
      await alice('scancel', '--full', '--signal=CONT', job.id);
    }
    expect((await job.end(30_000)).exitCode).not.toBe('0:0');
  });
});
