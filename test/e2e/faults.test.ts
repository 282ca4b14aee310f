/** Faults at a phase that the job has announced: it ends at once, with the right status, and names who is to blame. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { hostOf } from '../../lab/running-lab.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { awaitDocker, startMissingServices, stopService } from '../../lab/start-services.ts';
import { e2eLab } from '../support/e2e-lab.ts';
import type { BatchJob } from '../support/e2e-jobs.ts';
import {
  findLastingLeftovers,
  findProgram,
  inHostDocker,
  inMpi,
  signalProgram,
  startBatch,
  tryAs,
} from '../support/e2e-jobs.ts';
import { readScratchFile } from '../support/lab-job.ts';
import { until, untilAsked } from '../support/until.ts';
import { changeSite, quickDeadlines, quickSite } from '../support/e2e-site.ts';

/** A job that waits for its node until this is over has not heard what the others know. */
const startSeconds = 40;
const onTwo = { sbatch: ['-N2', '-n2', '-w', 'node1,node2'] };
const untilOver = `sh -c 'echo started; while [ ! -e over ]; do sleep 0.1; done; exit 7'`;
const lasting = `${inMpi} sh -c 'echo started; sleep 60'; exit $?`;

let lab: Lab;
const undo = new AsyncDisposableStack();
beforeAll(async () => {
  lab = await e2eLab();
  undo.use(await changeSite(lab, { ...quickSite, deadlines: { ...quickDeadlines, startSeconds } }));
});
afterAll(async () => await undo.disposeAsync());
afterEach(async () => expect(await findLastingLeftovers(lab, 10_000)).toEqual([]));

/** Kills what Slurm has of a job on a host, whose tasks then report to nobody. */
async function killSteps(host: string, job: string): Promise<void> {
  const script = 'kill -KILL $(pgrep -f "$1")';
  await mustRun(lab, host, ['sh', '-c', script, 'kill', `^slurmstepd: \\[${job}\\.`]);
}

const hasFile = async (job: BatchJob, name: string): Promise<boolean> =>
  await readScratchFile(lab, `${job.directory}/${name}`).then(
    () => true,
    () => false,
  );

describe("Slurm's own part on a host", () => {
  it('that dies with the command running, or at its end, holds no released job', async () => {
    const running = await startBatch(lab, lasting, onTwo);
    const ending = await startBatch(lab, `${inMpi} ${untilOver}`, onTwo);
    await Promise.all([running.shows('started', 'out'), ending.shows('started', 'out')]);
    await killSteps('node2', running.id);
    await signalProgram(lab, 'node2', 'run-node', ending.id, 'STOP');
    await mustRun(lab, 'node1', ['touch', `${ending.directory}/over`]);
    await ending.shows('the command ended with status 7');
    await killSteps('node2', ending.id); // the kernel lets a stopped process go on whose parent dies
    const [lost, ended] = await Promise.all([running.end(40_000), ending.end(40_000)]);
    expect(lost.exitCode).toBe('75:0');
    expect(lost.stderr).toContain('[NODE_LOST]');
    expect(ended.exitCode).toBe('7:0');
    for (const { stderr } of [lost, ended]) expect(stderr).toContain("the scheduler's launcher did not end");
  });
});

describe('open-job', () => {
  it("that is killed once the command's end was told does not take its status back", async () => {
    const job = await startBatch(
      lab,
      `hpc-submit-dockerjob --image lab/mpi:1 --json=outcome.json -- ${untilOver}`,
      onTwo,
    );
    await job.shows('started', 'out');
    await signalProgram(lab, 'node2', 'run-node', job.id, 'STOP'); // holds the release
    await mustRun(lab, 'node1', ['touch', `${job.directory}/over`]);
    await job.shows('the command ended with status 7');
    await signalProgram(lab, 'node1', 'keeper', job.id, 'KILL');
    await signalProgram(lab, 'node2', 'run-node', job.id, 'CONT');
    const ended = await job.end(40_000);
    expect(ended.exitCode).toBe('7:0');
    expect(ended.stderr).toContain('released  not known');
    const outcome = JSON.parse(await mustRun(lab, 'node1', ['cat', `${job.directory}/outcome.json`])) as object;
    expect(outcome).toMatchObject({ endedBy: 'command', exitStatus: 7 });
    expect(outcome).not.toHaveProperty('leftovers');
  });
});

describe('run-node', () => {
  it.each([
    ['node2', 'KILL', '75:0', 'its helper was'],
    ['node1', 'KILL', '75:0', 'its helper was'],
    ['node2', 'TERM', /^(?:75|143):0$/, ''],
  ] as const)(
    'on %s that gets %s before the command is there ends the job at once',
    async (host, signal, status, words) => {
      const job = await startBatch(lab, lasting, onTwo);
      await untilAsked('run-node', 10_000, async () => {
        const found = await findProgram(lab, host, 'run-node', job.id);
        return found.length > 0 || 'none';
      });
      await signalProgram(lab, host, 'run-node', job.id, signal);
      const ended = await job.end(60_000);
      expect(ended.exitCode).toMatch(status);
      expect(ended.stderr).toContain(`on host ${host}`);
      expect(ended.stderr).toContain(words);
      expect(ended.seconds).toBeLessThan(startSeconds / 2);
    },
  );
});

describe('a container', () => {
  it('that is killed as soon as it is there is lost, whatever step of its placing fails by that', async () => {
    const job = await startBatch(lab, lasting, onTwo);
    const name = `hpcdj-${job.id}-node-1`;
    await untilAsked('the container', 20_000, async () => {
      const script =
        'pid=$(docker inspect --format "{{.State.Pid}}" "$1" 2>/dev/null) && [ "$pid" -gt 0 ] && kill -KILL "$pid"';
      const { exitCode } = await tryAs(lab, 'node2', 'root', 'sh', '-c', script, 'kill', name);
      return exitCode === 0 || 'none';
    });
    const ended = await job.end(60_000);
    expect(ended.exitCode).toBe('75:0');
    expect(ended.stderr).toContain(`${job.id}-node-1 on host node2: `);
    expect(ended.stderr).toMatch(/the container ended .*with .*status 137/i);
    expect(ended.stderr).toContain('[NODE_LOST]');
  });

  it('that somebody stops has not been ended by its command', async () => {
    const job = await startBatch(lab, lasting, onTwo);
    await job.shows('started', 'out');
    await inHostDocker(lab, 'node1', 'stop', `hpcdj-${job.id}-node-0`);
    const ended = await job.end(60_000);
    expect(ended.exitCode).toBe('75:0');
    expect(ended.stderr).toContain('on host node1: the container was told to end, by the Docker Engine');
    expect(ended.stderr).not.toContain('the command ended');
  });
});

describe('a reader of the output', () => {
  it('who is slow at the end of the job loses nothing, although the store does not answer then', async () => {
    const piece = 65_536;
    // Writes until nothing on the way to the reader has room any more, and ends when it is told.
    const write = `sh -c '(while head -c ${piece} /dev/zero; do echo >>pieces; done) & w=$!; while [ ! -e over ]; do sleep 0.1; done; kill $w'`;
    const read = 'while [ ! -e go ]; do sleep 0.1; done; wc -c';
    const job = await startBatch(lab, `set -o pipefail; ${inMpi} ${write} | { ${read}; }; exit $?`, onTwo);
    let pieces = 0;
    await untilAsked('a writer that waits for its reader', 60_000, async () => {
      const before = pieces;
      await pause(1500);
      pieces = (await job.read('pieces')).length;
      return (pieces > 0 && pieces === before) || `${pieces} pieces; ${await job.stderr()}`;
    });
    const signalEtcd = async (signal: string): Promise<string> =>
      await mustRun(lab, 'head', ['sh', '-c', `kill -s ${signal} $(pgrep -x etcd)`]);
    await signalEtcd('STOP');
    try {
      await mustRun(lab, 'node1', ['touch', `${job.directory}/over`]);
      await pause(4000); // the engine gives up what nobody takes two seconds after a container's end
    } finally {
      await signalEtcd('CONT');
    }
    await mustRun(lab, 'node1', ['touch', `${job.directory}/go`]);
    const { exitCode, stdout, stderr } = await job.end(60_000);
    expect(exitCode, stderr).toBe('0:0');
    expect(Number(stdout)).toBeGreaterThanOrEqual(pieces * piece);
  });
});

describe('a host whose /run is full', () => {
  it('is named with what it lacks, and is no bug', async () => {
    const fill =
      'mount -o remount,size=$(($(df -k --output=used /run | tail -1) + 12))k /run; for size in 4k 512; do dd if=/dev/zero of=/run/filler-$size bs=$size; done';
    const [, size = ''] = /\bsize=(\w+)/.exec(await mustRun(lab, 'node2', ['grep', ' /run ', '/proc/mounts'])) ?? [];
    const job = await startBatch(lab, `touch begun; while [ ! -e go ]; do sleep 0.1; done; ${lasting}`, onTwo);
    await until('the script', 20_000, async () => (await hasFile(job, 'begun')) || (await job.stderr()));
    await mustRun(lab, 'node2', ['sh', '-c', `{ ${fill}; } 2>&1 || :`]);
    try {
      await mustRun(lab, 'node1', ['touch', `${job.directory}/go`]);
      await job.shows('[HOST_UNFIT]');
    } finally {
      await mustRun(lab, 'node2', ['sh', '-c', `rm /run/filler-*; mount -o remount,size=${size || '50%'} /run`]);
    }
    const { exitCode, stderr } = await job.end(60_000);
    expect(exitCode).toBe('69:0');
    expect(stderr).toMatch(/node2.*This host has no room left on a disk, or in \/run/);
    expect(stderr).not.toContain('[BUG]');
  });
});

describe('a host that is dead before its start', () => {
  it('is named by the words of srun, and the job may run elsewhere', async () => {
    const job = await startBatch(lab, `touch begun; while [ ! -e go ]; do sleep 0.1; done; ${lasting}`, onTwo);
    await until('the script', 20_000, async () => (await hasFile(job, 'begun')) || (await job.stderr()));
    await stopService(lab.hierarchies, lab.layout, hostOf(lab, 'node2'), 'slurmd');
    try {
      await mustRun(lab, 'node1', ['touch', `${job.directory}/go`]);
      await job.shows('[NODE_LOST]', 'err', 60_000);
    } finally {
      await startMissingServices(lab.hierarchies, lab.layout, hostOf(lab, 'node2'));
    }
    const { exitCode, stderr } = await job.end(60_000);
    expect(exitCode).toBe('75:0');
    expect(stderr).toContain(
      `${job.id}-node-1 on host node2 (not started): the scheduler's launcher did not reach it: `,
    );
    expect(stderr).not.toMatch(/sudo|NODE_LATE/);
  });
});

describe('a Docker Engine', () => {
  it('that is restarted costs neither a job that starts nor one that runs', async () => {
    const running = await startBatch(lab, `${inMpi} ${untilOver}`, onTwo);
    await running.shows('started', 'out');
    await stopService(lab.hierarchies, lab.layout, hostOf(lab, 'node2'), 'dockerd');
    let starting;
    try {
      starting = await startBatch(lab, `${inMpi} ${untilOver}`, onTwo);
      await starting.shows('opened');
    } finally {
      await startMissingServices(lab.hierarchies, lab.layout, hostOf(lab, 'node2'));
      await awaitDocker(lab.layout, hostOf(lab, 'node2'));
    }
    await starting.shows('started', 'out');
    for (const job of [running, starting]) await mustRun(lab, 'node1', ['touch', `${job.directory}/over`]);
    for (const job of [running, starting]) expect((await job.end(60_000)).exitCode).toBe('7:0');
  });

  it('that hangs for longer than an opening may take, while a job is opened, costs it nothing', async () => {
    await using _site = await changeSite(lab, { deadlines: { openSeconds: 2 } });
    const engine = (await mustRun(lab, 'node1', ['cat', '/run/docker.pid'])).trim();
    await mustRun(lab, 'node1', ['kill', '-STOP', engine]);
    let job;
    try {
      job = await startBatch(lab, `${inMpi} mpirun hostname`, onTwo);
      await job.shows('2 hosts');
      await pause(5000); // the helpers of both hosts wait for the plan
    } finally {
      await mustRun(lab, 'node1', ['kill', '-CONT', engine]);
    }
    const { exitCode, stdout, stderr } = await job.end(60_000);
    expect(exitCode, stderr).toBe('0:0');
    expect(stdout.trim().split('\n').toSorted()).toEqual([`${job.id}-node-0`, `${job.id}-node-1`]);
  });
});
