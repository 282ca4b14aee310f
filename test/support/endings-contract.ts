/** What the end of a job promises, whichever scheduler it is that runs and ends it: one suite, run on each of them. */
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { mustRun } from '../../lab/batch-jobs.ts';
import { execOnHost } from '../../lab/exec-on-host.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { inMpi } from './e2e-jobs.ts';
import type { Ended, LabJob } from './lab-job.ts';
import { awaitTicks, containerStates, readTicks } from './lab-job.ts';
import { untilAsked } from './until.ts';

/** A scheduler's own words for what users and operators do with a job. Its lab runs one job at a time. */
export interface LabScheduler<State extends object> {
  readonly lab: Lab;
  /** On how many hosts `submit` runs the job, one slot on each. */
  readonly hosts: number;
  submit(script: string): Promise<LabJob<State>>;
  cancel(job: LabJob<State>): Promise<void>;
  suspend(job: LabJob<State>): Promise<void>;
  resume(job: LabJob<State>): Promise<void>;
  /** The exit status that the scheduler shows for the job, as text: its user's view. */
  statusOf(ended: Ended<State>): string;
  /** What `cancel` leads to: how the job's script ends, and the code in its last line. */
  readonly cancelled: { readonly status: RegExp; readonly code: string };
  /** On which host the script runs. */
  firstHostOf(job: LabJob<State>): Promise<string>;
  findLeftovers(graceMs: number): Promise<readonly string[]>;
}

/** Longer than the lease of `quickSite`, by which the hosts would take a keeper for dead. */
const longerThanLeaseMs = 7000;
const lasting = `exec ${inMpi} sh -c 'echo started; sleep 60'`;
/** One line each fifth of a second, by every rank, into a file of its own. */
const ticking = `exec ${inMpi} mpirun --map-by node sh -c 'while :; do echo >>ticks.$OMPI_COMM_WORLD_RANK; sleep 0.2; done'`;

/** To be called where the lab is up, with `quickSite`, and every test is followed by a look for what is left. */
export function describeEndings<State extends object>(name: string, scheduler: () => LabScheduler<State>): void {
  const expectCancelled = (ended: Ended<State>): void => {
    const { status, code } = scheduler().cancelled;
    expect(scheduler().statusOf(ended)).toMatch(status);
    expect(ended.stderr).toContain(`[${code}]`);
    expect(ended.stderr).toContain('nothing is left behind');
  };

  describe(`a job of ${name}`, () => {
    it('ends with the status of its command, and all its output is there', async () => {
      const job = await scheduler().submit(`${inMpi} sh -c 'seq 100000; echo last >&2; exit 7'`);
      const ended = await job.end();
      expect(scheduler().statusOf(ended)).toBe('7');
      expect(ended.stdout).toContain('1\n2\n3\n');
      expect(ended.stdout.match(/^\d+$/gm)).toHaveLength(100_000);
      expect(ended.stderr).toMatch(/^last$/m);
      expect(ended.stderr).toContain('nothing is left behind');
    });

    it('is cancelled: it ends on all its hosts, and says why', async () => {
      const job = await scheduler().submit(lasting);
      await job.shows('started', 'out');
      await scheduler().cancel(job);
      expectCancelled(await job.end(30_000));
    });

    it('is cancelled while its nodes still discover each other', async () => {
      const job = await scheduler().submit(lasting);
      await job.shows('opened');
      await scheduler().cancel(job);
      const ended = await job.end(30_000);
      expect(scheduler().statusOf(ended)).toMatch(scheduler().cancelled.status);
      expect(ended.stderr).not.toContain('[JOB_NOT_YOURS]');
      expect(ended.stdout).not.toMatch(/^started$/m);
    });

    it('is cancelled though its command ignores INT and TERM', async () => {
      const job = await scheduler().submit(
        `exec ${inMpi} sh -c 'trap "" INT TERM; echo started; while :; do sleep 1; done'`,
      );
      await job.shows('started', 'out');
      await scheduler().cancel(job);
      expectCancelled(await job.end(40_000));
    });

    it('stands still on all its hosts while it is suspended, for longer than its lease, and goes on', async () => {
      const { lab, hosts } = scheduler();
      const job = await scheduler().submit(ticking);
      await awaitTicks(job, hosts);
      await scheduler().suspend(job);
      await awaitContainers(lab, 'paused');
      const before = await readTicks(job, hosts);
      await pause(longerThanLeaseMs);
      expect(await readTicks(job, hosts)).toEqual(before);
      await scheduler().resume(job);
      await awaitTicks(job, hosts, before);
      await scheduler().cancel(job);
      expectCancelled(await job.end(30_000));
    });

    it('is cancelled while it is suspended', async () => {
      const job = await scheduler().submit(ticking);
      await awaitTicks(job, scheduler().hosts);
      await scheduler().suspend(job);
      await awaitContainers(scheduler().lab, 'paused');
      await scheduler().cancel(job);
      await job.end(40_000);
      expect(await scheduler().findLeftovers(30_000)).toEqual([]);
    });

    it.each([
      ['the middleware', 'dist/middleware.cjs'],
      ['the keeper', 'dist/helper.cjs open-job'],
    ])('with %s killed ends on all its hosts', async (_, program) => {
      // 75 is safe to run again, and queues do.
      const job = await scheduler().submit(`${lasting.replace('exec ', '')}\nexit $(($? == 75 ? 3 : $?))`);
      await job.shows('started', 'out');
      const host = await scheduler().firstHostOf(job);
      const pids = await findPrograms(scheduler().lab, host, program);
      expect(pids.length).toBeGreaterThan(0);
      await mustRun(scheduler().lab, host, ['kill', '-KILL', ...pids]);
      expect(scheduler().statusOf(await job.end(40_000))).not.toBe('0');
      expect(await scheduler().findLeftovers(30_000)).toEqual([]);
    });
  });
}

async function awaitContainers(lab: Lab, state: string): Promise<void> {
  await untilAsked(`containers that are ${state}`, 20_000, async () => {
    const states = await containerStates(lab);
    return states.every((each) => each === state) || states.join(' ');
  });
}

/** Process ids on that host of one of our programs. */
async function findPrograms(lab: Lab, host: string, pattern: string): Promise<readonly string[]> {
  const { stdout } = await execOnHost(lab, host, { argv: ['pgrep', '-f', '--', pattern] });
  return stdout.split('\n').filter(Boolean);
}
