/** A `run-node` that stands still while its container writes: the engine cannot get rid of the output, nor of the container. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { productRoot } from '../../lab/layout.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { readNodeStates } from '../../lab/start-services.ts';
import {
  cancelJob,
  findLastingLeftovers,
  findProgram,
  inMpi,
  signalProgram,
  startBatch,
  tryAs,
} from '../support/e2e-jobs.ts';
import { readScratchFile } from '../support/lab-job.ts';
import { until } from '../support/until.ts';
import type { BatchJob } from '../support/e2e-jobs.ts';
import { e2eLab } from '../support/e2e-lab.ts';
import { changeSite, quickSite } from '../support/e2e-site.ts';

const helper = `${productRoot}/bin/hpc-dockerjob-helper`;
const auditFile = '/var/log/hpcdj-still.json';

/** Nine seconds until a helper that stands still is killed, and what the engine and the store need besides. */
const releaseMs = 20_000;

let lab: Lab;
const undo = new AsyncDisposableStack();
beforeAll(async () => {
  lab = await e2eLab();
  undo.use(await changeSite(lab, { ...quickSite, audit: { file: auditFile } }));
});
afterAll(async () => {
  for (const { name } of lab.nodes) await mustRun(lab, name, ['rm', '-f', auditFile]);
  await undo.disposeAsync();
});
afterEach(async () => expect(await findLastingLeftovers(lab)).toEqual([]));

/** Fills in a moment all that lies between it and a reader who has stopped; slow enough to fill no disk before. */
const writing = `${inMpi} sh -c 'echo started; while head -c 1000000 /dev/zero; do sleep 0.1; done'`;
const onOneHost = { sbatch: ['-N1', '-n1', '-w', 'node1'] };
const onTwoHosts = { sbatch: ['-N2', '-n2', '-w', 'node1,node2'] };

async function killedHelpers(host: string, { id }: BatchJob): Promise<readonly string[]> {
  const lines = (await tryAs(lab, host, 'root', 'cat', auditFile)).text.split('\n');
  return lines.filter((line) => line.includes('"helper-killed"') && line.includes(`"job":"${id}"`));
}

async function timed<T>(action: Promise<T>): Promise<readonly [T, number]> {
  const startedAt = performance.now();
  return [await action, performance.now() - startedAt];
}

async function startStanding(options: typeof onOneHost): Promise<BatchJob> {
  const job = await startBatch(lab, writing, options);
  await job.shows('started', 'out');
  await signalProgram(lab, 'node1', 'run-node', job.id, 'STOP');
  await stopsWriting(job);
  return job;
}

/** The reader has all that was on its way: from now on the container writes into a pipe that nobody empties. */
async function stopsWriting(job: BatchJob): Promise<void> {
  let before = -1;
  const look = async (): Promise<true | string> => {
    const { length } = await readScratchFile(lab, `${job.directory}/job.out`);
    const isStill = length === before;
    before = length;
    return isStill || `${length} bytes so far`;
  };
  await until('the end of the output', 20_000, look, 1000);
}

describe('a run-node that is stopped while its container writes', () => {
  it.each([
    ['on one host', onOneHost],
    ['on several hosts', onTwoHosts],
  ])('keeps nothing of a job %s once its owner releases it', async (_, options) => {
    const job = await startStanding(options);
    const call = tryAs(lab, 'node1', 'alice', 'sudo', '-n', helper, 'release-job', job.id);
    const [released, ms] = await timed(call);
    expect(released).toMatchObject({ exitCode: 0, text: expect.stringContaining(`job ${job.id}: released`) as string });
    expect(released.text).toContain('hung and kept its container from being removed; it was killed');
    expect(ms).toBeLessThan(releaseMs);
    expect(await killedHelpers('node1', job)).toHaveLength(1);
    await job.end(40_000);
  });

  it('keeps nothing of a job that is cancelled, and does not drain its host', async () => {
    const job = await startStanding(onTwoHosts);
    await cancelJob(lab, job.id);
    expect((await job.end(60_000)).state).toBe('CANCELLED');
    const states = await readNodeStates(lab.head);
    expect([...states.values()].filter((state) => /drain|down/.test(state))).toEqual([]);
  });

  it('costs a neighbour on the same host nothing', async () => {
    const neighbour = await startBatch(lab, `${inMpi} sh -c 'echo started; sleep 25; echo whole'`, {
      ...onOneHost,
      user: 'bob',
    });
    await neighbour.shows('started', 'out');
    const [kept] = await findProgram(lab, 'node1', 'run-node', neighbour.id);
    const job = await startStanding(onOneHost);
    expect((await tryAs(lab, 'node1', 'root', helper, 'release-node', job.id)).exitCode).toBe(0);
    expect(await findProgram(lab, 'node1', 'run-node', neighbour.id)).toEqual([kept]);
    expect(await killedHelpers('node1', neighbour)).toEqual([]);
    await job.end(40_000);
    expect(await neighbour.end(60_000)).toMatchObject({ exitCode: '0:0', stdout: 'started\nwhole\n' });
  });
});

describe('a run-node that works', () => {
  it('is not killed although its reader stands still, and keeps nothing either', async () => {
    const job = await startBatch(lab, writing, onOneHost);
    await job.shows('started', 'out');
    await signalProgram(lab, 'node1', 'launcher', job.id, 'STOP');
    await stopsWriting(job);
    const [released, ms] = await timed(tryAs(lab, 'node1', 'root', helper, 'release-node', job.id));
    expect(released).toEqual({ exitCode: 0, text: `job ${job.id}: released on this host` });
    expect(ms).toBeLessThan(releaseMs);
    expect(await killedHelpers('node1', job)).toEqual([]);
    await signalProgram(lab, 'node1', 'launcher', job.id, 'CONT');
    await job.end(40_000);
  });
});
