/** A Docker Engine that says nothing for a minute and a half, or is not there, while jobs run: no job ends by that alone. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { hostOf } from '../../lab/running-lab.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { awaitDocker, awaitSlurm, startMissingServices, stopService } from '../../lab/start-services.ts';
import { e2eLab } from '../support/e2e-lab.ts';
import type { BatchJob } from '../support/e2e-jobs.ts';
import { findLastingLeftovers, inMpi, reapOn, startBatch } from '../support/e2e-jobs.ts';
import { changeSite, quickSite } from '../support/e2e-site.ts';

/** Longer than the minute of patience, and the call of 30 s, that jobs once had. */
const silenceMs = 95_000;

let lab: Lab;
const undo = new AsyncDisposableStack();
beforeAll(async () => {
  lab = await e2eLab();
  undo.use(await changeSite(lab, quickSite));
});
afterAll(async () => await undo.disposeAsync());
/** Of the job that ended meanwhile, the absent engine kept a container, and the epilog drained the host: the timer of the admin guide cleans up. */
afterEach(async () => {
  await awaitSlurm(lab.layout, lab.head);
  for (const { name } of lab.nodes) await reapOn(lab, name);
  expect(await findLastingLeftovers(lab, 20_000)).toEqual([]);
});

/** Each rank numbers its lines, some ten a second, until there is a file `over`; then the command ends with 7. */
const count = `mpirun sh -c 'i=0; while [ ! -e over ]; do i=$((i+1)); echo $OMPI_COMM_WORLD_RANK $i; sleep 0.1; done; echo $i >last.$OMPI_COMM_WORLD_RANK'`;
const counting = `${inMpi} sh -c "${count.replace(/[$"]/g, '\\$&')}; exit 7"`;

async function startCounting(hosts: string): Promise<BatchJob> {
  const size = hosts.split(',').length;
  const job = await startBatch(lab, counting, { sbatch: [`-N${size}`, `-n${size}`, '-w', hosts] });
  await job.shows('1 2\n', 'out');
  return job;
}

/** Ends the job: its status is the command's, its ranks were at work all the time, and nothing is left. Returns each rank's lines. */
async function endCounting(job: BatchJob): Promise<{ readonly ranks: readonly RankLines[]; readonly stderr: string }> {
  await mustRun(lab, 'node1', ['touch', `${job.directory}/over`]);
  const { exitCode, stdout, stderr } = await job.end(60_000);
  expect(exitCode, stderr).toBe('7:0');
  expect(stderr).toContain('nothing is left behind');
  const lines = stdout.trim().split('\n');
  const ranks = [0, 1].map(async (rank) => {
    const last = Number(await job.read(`last.${rank}`));
    expect(last).toBeGreaterThan(silenceMs / 500);
    const arrived = lines.filter((line) => line.startsWith(`${rank} `)).map((line) => Number(line.slice(2)));
    return { written: Array.from({ length: last }, (_, index) => index + 1), arrived };
  });
  return { ranks: await Promise.all(ranks), stderr };
}

interface RankLines {
  readonly written: readonly number[];
  readonly arrived: readonly number[];
}

describe('a Docker Engine that is silent for 95 s', () => {
  it('frozen on one host and absent on another, ends no job over them but one whose site has no such patience', async () => {
    const engine = (await mustRun(lab, 'node2', ['cat', '/run/docker.pid'])).trim();
    const absent = await startCounting('node1,node2');
    const frozen = await startCounting('node2,node3');
    const site = await changeSite(lab, { docker: { absenceSeconds: 20, callTimeoutMs: 5000 } });
    const impatient = await startCounting('node1,node3').finally(async () => await site[Symbol.asyncDispose]());
    await mustRun(lab, 'node2', ['kill', '-STOP', engine]);
    try {
      await stopService(lab.hierarchies, lab.layout, hostOf(lab, 'node1'), 'dockerd');
      const silent = pause(silenceMs);
      await impatient.shows('[ENGINE_UNREACHABLE]', 'err', 60_000);
      await silent;
    } finally {
      await mustRun(lab, 'node2', ['kill', '-CONT', engine]);
      await startMissingServices(lab.hierarchies, lab.layout, hostOf(lab, 'node1'));
      await awaitDocker(lab.layout, hostOf(lab, 'node1'));
    }
    const given = await impatient.end(60_000);
    expect(given.exitCode).toBe('69:0');
    expect(given.stderr).toContain('on host node1');
    const kept = await endCounting(frozen);
    for (const { written, arrived } of kept.ranks) expect(arrived).toEqual(written);
    // What the containers of a new engine's host have written before it came is lost, and the user is told.
    const told = await endCounting(absent);
    expect(told.stderr).toContain('the Docker Engine on host node1 was restarted; what the job wrote there meanwhile');
    for (const { written, arrived } of told.ranks)
      expect(arrived).toEqual(written.filter((line) => arrived.includes(line)));
  });
});
