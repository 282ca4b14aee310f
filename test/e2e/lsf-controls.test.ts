/** JOB_CONTROLS by share/lsf/job-control: it reaches every container of a job on every host, and says whether it did. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { execOnHost } from '../../lab/exec-on-host.ts';
import { kitDir, renderQueue } from '../../lab/lsf/lsf-files.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { inMpi, tryAs } from '../support/e2e-jobs.ts';
import { containerStates, readScratchFile } from '../support/lab-job.ts';
import { until } from '../support/until.ts';
import { changeSite, quickSite } from '../support/e2e-site.ts';
import type { LsfJob } from '../support/lsf-lab.ts';
import {
  configureLsf,
  control,
  endAllJobs,
  findLsfLeftovers,
  lsfLab,
  postExec,
  submitScript,
} from '../support/lsf-lab.ts';

const hook = `${kitDir}/job-control`;
const controls = `JOB_CONTROLS = SUSPEND[${hook} suspend] RESUME[${hook} resume] TERMINATE[${hook} terminate]`;
const ticking = `${inMpi} sh -c 'while :; do echo >>ticks; sleep 0.2; done'`;

let lab: Lab;
const undo = new AsyncDisposableStack();
beforeAll(async () => {
  lab = await lsfLab('plain');
  undo.use(await changeSite(lab, quickSite));
  await configureLsf(lab, [renderQueue('normal', [postExec, controls])]);
});
afterAll(async () => await undo.disposeAsync());
afterEach(async ({ task }) => {
  // Or what it has left fails every test after it.
  if (task.result?.state === 'fail') await endAllJobs(lab);
  expect(await findLsfLeftovers(lab)).toEqual([]);
});

async function countTicks({ directory }: LsfJob): Promise<number> {
  return await readScratchFile(lab, `${directory}/ticks`).then(
    (text) => text.length,
    () => 0,
  );
}

async function awaitTicks(job: LsfJob, above = 0): Promise<void> {
  await until('ticks', 30_000, async () => (await countTicks(job)) > above || (await job.stderr()).slice(-600));
}

async function startTicking(bsub?: readonly string[]): Promise<LsfJob> {
  const job = await submitScript(lab, ticking, bsub === undefined ? {} : { bsub });
  await awaitTicks(job);
  return job;
}

describe('a queue with the kit’s JOB_CONTROLS', () => {
  it.each([
    ['one slot', ['-n1'], 1],
    ['three hosts', undefined, 3],
  ] as const)('stops a job of %s, lets it go on and ends it', async (_, bsub, nodes) => {
    const job = await startTicking(bsub);
    await control(lab, 'bstop', job.id);
    await job.shows(`suspended: ${nodes} of ${nodes} containers are paused`);
    const before = await countTicks(job);
    await pause(1500);
    expect(await countTicks(job)).toBe(before);
    expect((await containerStates(lab)).filter((state) => state === 'paused')).toHaveLength(nodes);
    await control(lab, 'bresume', job.id);
    await awaitTicks(job, before);
    await control(lab, 'bkill', job.id);
    expect(await job.end()).toMatchObject({ stat: 'EXIT', exitCode: 130 });
  });

  it('shows a job while it runs, while it is stopped and when it is over, to its owner', async () => {
    const ask = async (words: string, user = 'alice'): Promise<string> =>
      (await tryAs(lab, 'node1', user, 'timeout', '60', 'hpc-submit-dockerjob', ...words.split(' '))).text;
    const job = await startTicking();
    expect(await ask(`inspect ${job.id}`)).toMatch(/^phase +running,.*\n(?:.*\n)*now +Its command runs on node 0/m);
    expect(await ask(`inspect ${job.id}`, 'bob')).toContain('belongs to another user, or nothing is known of it here');
    await control(lab, 'bstop', job.id);
    await job.shows('suspended: 3 of 3');
    expect(await ask('jobs --phase suspended')).toMatch(new RegExp(`^${job.id} +alice +suspended .* 3 +node`, 'm'));
    await control(lab, 'bkill', job.id);
    await job.end();
    expect(await ask(`inspect ${job.id}`)).toMatch(/^ended .*, (?:INTERRUPTED|TERMINATED) \(status 1\d\d\)$/m);
  });

  it('ends a job that is stopped', async () => {
    const job = await startTicking();
    await control(lab, 'bstop', job.id);
    await job.shows('suspended: 3 of 3');
    await control(lab, 'bkill', job.id);
    expect(await job.end()).toMatchObject({ stat: 'EXIT', exitCode: 130 });
  });

  it('ends a script that ignores INT and TERM and goes on after its containers', async () => {
    const script = `trap '' INT TERM\n${inMpi} sh -c 'echo started; sleep 60'\necho "status $?"; while :; do sleep 1; done`;
    const job = await submitScript(lab, script);
    await job.shows('started', 'out');
    await control(lab, 'bkill', job.id);
    const ended = await job.end();
    expect(ended).toMatchObject({ stat: 'EXIT', exitCode: 137 });
    expect(ended.stdout).toMatch(/^status 1(30|43)$/m);
  });

  it('serves jobs without containers as LSF itself does', async () => {
    const job = await submitScript(lab, 'while :; do echo >>ticks; sleep 0.2; done');
    await awaitTicks(job);
    await control(lab, 'bstop', job.id);
    await pause(1500);
    const before = await countTicks(job);
    await pause(1000);
    expect(await countTicks(job)).toBe(before);
    await control(lab, 'bresume', job.id);
    await awaitTicks(job, before);
    await control(lab, 'bkill', job.id);
    expect(await job.end()).toMatchObject({ stat: 'EXIT', exitCode: 130 });
  });
});

interface HookCall {
  readonly user?: string;
  readonly host?: string;
  readonly environment?: Record<string, string>;
}

describe('job-control', () => {
  const call = async (action: string, { user = 'alice', host = 'node1', environment = {} }: HookCall) =>
    await execOnHost(lab, host, { user, argv: [hook, ...action.split(' ')], env: environment });
  const ofJob = (job: LsfJob): Record<string, string> => ({ LSB_JOBID: job.id, LSB_JOBINDEX: '0' });

  const hostile = {
    ...{ PATH: '/tmp/none', IFS: '/', ENV: '/tmp/none', BASH_ENV: '/tmp/none', CDPATH: '/tmp', LC_ALL: 'xx', HOME: '' },
    ...{
      PS4: '$(touch /tmp/owned)',
      POSIXLY_CORRECT: 'y',
      SUDO_UID: '0',
      SUDO_COMMAND: 'x',
      HPCDJ_HELPER: '/tmp/none',
    },
    ...{ LSB_JOBPGIDS: '0 1 -1 00 x 999999999 $(touch /tmp/owned) ;', LSF_ENVDIR: '/tmp/none' },
  };

  it.each(['alice', 'root'])(
    '(%s) returns when every host has followed, whatever environment it is given',
    async (user) => {
      const job = await startTicking();
      const environment = { ...hostile, ...ofJob(job) };
      const said = (what: string) => ({
        ...{ exitCode: 0, stdout: '' },
        stderr: `hpc-submit-dockerjob: job-control: job ${job.id}: ${what} on 3 of 3 hosts`,
      });
      expect(await call('suspend', { user, environment })).toEqual(said('is suspended'));
      expect(await containerStates(lab)).toEqual(['paused', 'paused', 'paused']);
      expect(await call('suspend', { user, environment, host: 'node3' })).toEqual(said('is suspended'));
      expect(await call('resume', { user, environment, host: 'node2' })).toEqual(said('is resumed'));
      expect(await containerStates(lab)).toEqual(['running', 'running', 'running']);
      expect(await call('terminate', { user, environment })).toEqual(said('has ended'));
      expect(await containerStates(lab)).toEqual(['', '', '']);
      expect((await job.end()).exitCode).toBe(143);
      expect((await execOnHost(lab, 'node1', { argv: ['ls', '/tmp/owned'] })).exitCode).not.toBe(0);
    },
  );

  it('does nothing to the job of another user', async () => {
    const job = await startTicking();
    const { exitCode, stderr } = await call('suspend', { user: 'bob', environment: ofJob(job) });
    expect([exitCode, stderr]).toEqual([77, expect.stringContaining('[JOB_NOT_YOURS]')]);
    await control(lab, 'bkill', job.id);
    await job.end();
  });

  it('names the host that does not follow in time, and it follows later', async () => {
    const job = await startTicking();
    const engine = (await mustRun(lab, 'node3', ['cat', '/run/docker.pid'])).trim();
    await mustRun(lab, 'node3', ['kill', '-STOP', engine]);
    try {
      const { exitCode, stderr } = await call('suspend', { environment: ofJob(job) });
      expect(exitCode).toBe(75);
      expect(stderr).toMatch(
        /1 of 3 nodes did not suspend within 8 s: \d+-node-\d on node3 \(running\)\..*\[NODE_LATE\]/,
      );
    } finally {
      await mustRun(lab, 'node3', ['kill', '-CONT', engine]);
    }
    expect(await call('suspend', { environment: ofJob(job) })).toMatchObject({ exitCode: 0 });
    expect(await containerStates(lab)).toEqual(['paused', 'paused', 'paused']);
    expect(await call('resume', { environment: ofJob(job) })).toMatchObject({ exitCode: 0 });
    await control(lab, 'bkill', job.id);
    await job.end();
  });

  it('that is killed half-way leaves nothing that the next call would not put right', async () => {
    const job = await startTicking();
    for (const delay of ['0.05', '0.2', '0.4']) {
      const argv = ['timeout', '--signal=KILL', delay, hook, 'suspend'];
      await execOnHost(lab, 'node1', { user: 'alice', argv, env: ofJob(job) });
    }
    expect(await call('resume', { environment: ofJob(job) })).toMatchObject({ exitCode: 0 });
    await awaitTicks(job, await countTicks(job));
    await control(lab, 'bkill', job.id);
    await job.end();
  });

  it('has nothing to do for a job without containers, and says of an unknown one what it says of another user’s', async () => {
    const job = await submitScript(lab, 'echo begun; sleep 60');
    await job.shows('begun', 'out');
    const { exitCode, stderr } = await call('suspend', { environment: ofJob(job) });
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining(`job ${job.id}: no containers to suspend`)]);
    await control(lab, 'bkill', job.id);
    await job.end();
    const unknown = await call('suspend', { environment: { LSB_JOBID: '999999' } });
    expect([unknown.exitCode, unknown.stderr]).toEqual([77, expect.stringContaining('[JOB_NOT_YOURS]')]);
  });

  it('does nothing as root in a user’s environment that the loader has read', async () => {
    const environment = { LSB_JOBID: '7', LD_LIBRARY_PATH: '/tmp/none' };
    expect((await call('suspend', { user: 'root', environment })).exitCode).toBe(77);
  });

  it.each([
    ['explode', { LSB_JOBID: '7' }, '"explode" is no action. Known: suspend, resume, terminate.'],
    ['suspend 7', { LSB_JOBID: '7' }, 'one action is expected.'],
    ['suspend', {}, 'LSB_JOBID names no job.'],
    ['suspend', { LSB_JOBID: '7;id' }, 'LSB_JOBID names no job.'],
    ['suspend', { LSB_JOBID: '07' }, 'LSB_JOBID names no job.'],
    ['suspend', { LSB_JOBID: '7'.repeat(40) }, 'LSB_JOBID names no job.'],
    ['suspend', { LSB_JOBID: '7', LSB_JOBINDEX: '3]' }, 'LSB_JOBINDEX is no index.'],
  ] as const)('refuses %s with %j', async (action, environment, message) => {
    const { exitCode, stderr } = await call(action, { environment });
    expect([exitCode, stderr]).toEqual([64, expect.stringContaining(message)]);
  });
});
