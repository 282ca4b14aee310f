/** Every way in which LSF ends, stops or repeats a job: with the right status, on all hosts, and with nothing left behind. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import type { LsfKind } from '../../lab/layout.ts';
import { renderQueue } from '../../lab/lsf/lsf-files.ts';
import { hostOf } from '../../lab/running-lab.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { startMissingServices, stopService } from '../../lab/start-services.ts';
import { inHostDocker, inMpi } from '../support/e2e-jobs.ts';
import { awaitTicks, readScratchFile, readTicks } from '../support/lab-job.ts';
import { until } from '../support/until.ts';
import { describeEndings } from '../support/endings-contract.ts';
import type { LabJob } from '../support/lab-job.ts';
import { changeSite, quickDeadlines, quickSite } from '../support/e2e-site.ts';
import type { LsfState } from '../support/lsf-lab.ts';
import {
  configureLsf,
  control,
  endAllJobs,
  findLsfLeftovers,
  findLsfPrograms,
  hostsOf,
  lsfLab,
  postExec,
  submitScript,
} from '../support/lsf-lab.ts';

let lab: Lab;
const undo = new AsyncDisposableStack();
afterAll(async () => await undo.disposeAsync());

/** One tick each fifth of a second, by every rank, into a file of its own. */
const ticking = `${inMpi} mpirun sh -c 'while :; do echo >>ticks.$OMPI_COMM_WORLD_RANK; sleep 0.2; done'`;
const lasting = `${inMpi} sh -c 'echo started; sleep 60'`;
/** Takes a moment until it listens; says what has come, and ends with 7. */
const listening = `${inMpi} sh -c 'sleep 0.5; trap "echo got USR1" USR1; trap "echo got USR2" USR2; while [ ! -e over ]; do sleep 0.1; done; exit 7'`;
/** By which lsrun and blaunch reach a host; that of the stand-in unless another LSF is there. */
const remoteDaemon = process.env['HPCDJ_LSF'] === undefined ? 'lsf-standin-agent' : 'res';
const queue = [postExec, 'REQUEUE_EXIT_VALUES = 75'];

describe.each<LsfKind>(['plain', 'ibm'])('the %s LSF', (kind) => {
  beforeAll(async () => {
    lab = await lsfLab(kind);
    undo.use(await changeSite(lab, quickSite));
  });
  beforeEach(async () => {
    await endAllJobs(lab);
    await configureLsf(lab, [renderQueue('normal', queue)]);
  });
  afterEach(async () => expect(await findLsfLeftovers(lab)).toEqual([]));

  // With blaunch and cgroups the kit takes the same way; lsrun is the harsher one.
  if (kind === 'plain')
    describeEndings<LsfState>(`the ${kind} LSF`, () => ({
      lab,
      hosts: lab.nodes.length,
      submit: async (script) => await submitScript(lab, script),
      cancel: async ({ id }) => await control(lab, 'bkill', id),
      suspend: async ({ id }) => await control(lab, 'bstop', id),
      resume: async ({ id }) => await control(lab, 'bresume', id),
      statusOf: ({ exitCode }) => String(exitCode),
      cancelled: { status: /^130$/, code: 'INTERRUPTED' },
      firstHostOf,
      findLeftovers: async (graceMs) => await findLsfLeftovers(lab, graceMs),
    }));

  describe('bkill', () => {
    it('with KILL leaves the cleaning to POST_EXEC and the lost lease', async () => {
      const job = await submitScript(lab, lasting);
      await job.shows('started', 'out');
      await control(lab, 'bkill', '-s', 'KILL', job.id);
      expect((await job.end()).stat).toBe('EXIT');
      expect(await findLsfLeftovers(lab, 30_000)).toEqual([]);
    });
  });

  it.each(['USR1', 'USR2'])('bkill -s %s reaches the command once, and its status is the job’s', async (signal) => {
    const trap = `trap "echo got ${signal}; sleep 1; exit 9" ${signal}`;
    const job = await submitScript(lab, `exec ${inMpi} sh -c '${trap}; echo started; while :; do sleep 0.2; done'`);
    await job.shows('started', 'out');
    await control(lab, 'bkill', '-s', signal, job.id);
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'EXIT', exitCode: 9 });
    expect(ended.stdout.match(/^got USR.$/gm)).toEqual([`got ${signal}`]);
  });

  it('bkill -s USR1 and USR2 from the first line of a job on reach the command once it listens, and end nothing', async () => {
    const job = await submitScript(lab, `exec ${listening}`);
    await job.shows('  job ');
    while (!(await job.stderr()).includes('gathered'))
      for (const signal of ['USR2', 'USR1']) await control(lab, 'bkill', '-s', signal, job.id);
    for (const signal of ['USR1', 'USR2']) await job.shows(`got ${signal}`, 'out', 20_000);
    await mustRun(lab, 'node1', ['touch', `${job.directory}/over`]);
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'EXIT', exitCode: 7 });
    expect(ended.stderr).toContain('nothing is left behind');
  });

  it('names a host whose daemon is dead before the start, and the job may run elsewhere', async () => {
    const job = await submitScript(
      lab,
      `touch begun; while [ ! -e go ]; do sleep 0.1; done; ${inMpi} true; echo "rc $?"`,
    );
    await until('the script', 20_000, async () =>
      readScratchFile(lab, `${job.directory}/begun`).then(
        () => true,
        () => 'not yet',
      ),
    );
    const lost = (await hostsOf(lab, job)).at(-1) ?? '';
    await stopService(lab.hierarchies, lab.layout, hostOf(lab, lost), remoteDaemon);
    try {
      await mustRun(lab, 'node1', ['touch', `${job.directory}/go`]);
      await job.shows('rc ', 'out', 60_000);
    } finally {
      await startMissingServices(lab.hierarchies, lab.layout, hostOf(lab, lost));
    }
    expect(await job.stdout()).toContain('rc 75');
    expect(await job.stderr()).toContain(`on host ${lost} (not started): the scheduler's launcher did not reach it: `);
    expect(await job.stderr()).not.toContain('sudo');
    await job.end();
  });

  it('bkill ends a job whose processes LSF has all found meanwhile', async () => {
    await configureLsf(lab, [renderQueue('normal', queue)], ['STANDIN_PIM_INTERVAL=1']);
    const job = await submitScript(lab, ticking);
    await awaitTicks(job, 3);
    await pause(3000);
    await control(lab, 'bkill', job.id);
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'EXIT', exitCode: 130 });
    expect(ended.stderr).toContain('nothing is left behind');
  });

  it('runs a job again whose keeper was killed, whatever host comes first then', async () => {
    const second = '[ $(wc -l <runs) -gt 1 ] || sleep 60; echo whole';
    const job = await submitScript(lab, `${inMpi} sh -c 'echo run >>runs; echo started; ${second}'\nexit $?`);
    await job.shows('started', 'out');
    const first = await firstHostOf(job);
    const pids = await findLsfPrograms(lab, first, 'dist/helper.cjs open-job');
    expect(pids.length).toBeGreaterThan(0);
    await mustRun(lab, first, ['kill', '-KILL', ...pids]);
    const ended = await job.end(90_000);
    expect(ended).toMatchObject({ stat: 'DONE', exitCode: 0 });
    expect(ended.stdout).toContain('\nwhole');
  });

  it('bstop of a job that still starts counts in none of its deadlines', async () => {
    await using _patient = await changeSite(lab, { deadlines: { ...quickDeadlines, discoverSeconds: 40 } });
    const job = await submitScript(lab, ticking);
    await job.shows('opened');
    await control(lab, 'bstop', job.id);
    await pause(14_000); // quickSite gives the nodes 12 s to start
    await control(lab, 'bresume', job.id);
    await awaitTicks(job, 3, await readTicks(job, 3));
    await control(lab, 'bkill', job.id);
    expect(await job.end()).toMatchObject({ stat: 'EXIT', exitCode: 130 });
  });

  it('starts a job again that a temporary fault has ended, and it ends well', async () => {
    const second = '[ $(wc -l <runs) -gt 1 ] || sleep 60; echo whole';
    const job = await submitScript(lab, `${inMpi} sh -c 'echo run >>runs; echo started; ${second}'\nexit $?`);
    await job.shows('started', 'out');
    await inHostDocker(lab, 'node2', 'kill', `hpcdj-${job.id}-node-${(await hostsOf(lab, job)).indexOf('node2')}`);
    await until('the second try', 60_000, async () => {
      const runs = String(await readScratchFile(lab, `${job.directory}/runs`));
      return runs.split('\n').length > 2 || `runs: ${runs}`;
    });
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'DONE', exitCode: 0 });
    expect(ended.stdout).toContain('\nwhole');
  });
});

describe('HOST_POST_EXEC', () => {
  beforeAll(async () => {
    lab = await lsfLab('ibm');
    undo.use(await changeSite(lab, quickSite));
    await configureLsf(lab, [renderQueue('normal', [postExec.replace('POST_EXEC', 'HOST_POST_EXEC')])]);
  });

  it('cleans every host, also when all of our programs were killed', async () => {
    const job = await submitScript(lab, lasting);
    await job.shows('started', 'out');
    const found = await Promise.all(
      lab.nodes.map(async ({ name }) => ({
        name,
        pids: await findLsfPrograms(lab, name, 'dist/(helper|middleware).cjs'),
      })),
    );
    // Found before the first is killed: from then on HOST_POST_EXEC runs a helper of its own on every host.
    for (const { name, pids } of found) {
      expect(pids.length).toBeGreaterThan(0);
      await mustRun(lab, name, ['kill', '-KILL', ...pids]);
    }
    expect((await job.end()).stat).toBe('EXIT');
    expect(await findLsfLeftovers(lab, 30_000)).toEqual([]);
  });
});

describe('the run limit', () => {
  beforeAll(async () => {
    lab = await lsfLab('plain');
    undo.use(await changeSite(lab, quickSite));
  });
  beforeEach(async () => {
    // Long enough for a job to start on a machine that has other work.
    const params = ['STANDIN_MINUTE=16', 'STANDIN_WARN_TIME=5'];
    await configureLsf(lab, [renderQueue('normal', queue)], params);
  });
  afterEach(async () => expect(await findLsfLeftovers(lab)).toEqual([]));
  const bsub = ['-n3', '-R', 'span[ptile=1]', '-W', '1'];

  const loop = 'echo started; while :; do sleep 0.2; done';

  it('warns the command once, by USR2, and takes its status', async () => {
    const trap = 'trap "echo warned; sleep 1; exit 7" USR2';
    const job = await submitScript(lab, `exec ${inMpi} sh -c '${trap}; ${loop}'`, { bsub });
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'EXIT', exitCode: 7 });
    expect(ended.stdout.match(/^warned$/gm)).toHaveLength(1);
  });

  it('ends a command that ignores the warning', async () => {
    const job = await submitScript(lab, `exec ${inMpi} sh -c 'trap "" USR2; ${loop}'`, { bsub });
    expect(await job.end()).toMatchObject({ stat: 'EXIT', exitCode: 130 });
  });

  it('ends a script that does not hear the warning, and POST_EXEC its containers', async () => {
    const job = await submitScript(lab, `${inMpi} sh -c 'trap "" USR2; ${loop}'\nexit $?`, { bsub });
    expect(await job.end()).toMatchObject({ stat: 'EXIT', exitCode: 140 });
    expect(await findLsfLeftovers(lab, 30_000)).toEqual([]);
  });
});

async function firstHostOf(job: LabJob): Promise<string> {
  return (await hostsOf(lab, job))[0] ?? '';
}
