import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import type { SiteConfig } from '../../../src/config/site-schema.ts';
import { trackSuspension } from '../../../src/helper/job/follow-suspension.ts';
import { CommandEnded, keepJob } from '../../../src/helper/keeper/keep-job.ts';
import { LauncherEnded } from '../../../src/helper/keeper/launcher-error.ts';
import type { EndedTasks } from '../../../src/helper/keeper/launcher-error.ts';
import { createMemoryStore } from '../../../src/local-store/memory-store.ts';
import type { Store } from '../../../src/ports/store.ts';
import { JobError } from '../../../src/values/errors.ts';
import type { HelperEvent, JobEnd } from '../../../src/contract/helper-events.ts';
import { jobFieldKey, keyOnly, nodeFieldKey } from '../../../src/contract/kvs-keys.ts';
import { makePlan } from '../../support/make-plan.ts';
import { jobStoreIn } from '../../support/job-store.ts';

const plan = makePlan({ hosts: ['c1', 'c2'] });
const key = `ssh-ed25519 ${'A'.repeat(68)}`;

let store: Store;
let events: HelperEvent[];
let cancel: AbortController;
let site: SiteConfig;

beforeEach(async () => {
  store = createMemoryStore();
  events = [];
  cancel = new AbortController();
  site = parseSite('version: 1\ndeadlines: {startSeconds: 1, discoverSeconds: 1}');
  await store.commit({
    puts: [
      { key: jobFieldKey('', plan.job, 'PLAN'), value: JSON.stringify(plan) },
      { key: jobFieldKey('', plan.job, 'FINISH'), value: 'FALSE' },
    ],
  });
});
afterEach(async () => await store.close());

const keep = () =>
  keepJob({
    jobStore: jobStoreIn(store, plan),
    site,
    plan,
    cancelled: cancel.signal,
    emit: (event) => events.push(event),
  });
const put = async (values: Record<string, string>) =>
  await store.commit({ puts: Object.entries(values).map(([name, value]) => ({ key: name, value })) });
const publish = async (index: number) =>
  await put({
    [nodeFieldKey('', plan.job, index, 'SSHPUBKEY')]: key,
    [nodeFieldKey('', plan.job, index, 'HOSTKEY')]: key,
  });
const ready = async (index: number) => await put({ [nodeFieldKey('', plan.job, index, 'READY')]: 'True' });
const read = async (field: 'ROSTER' | 'START' | 'FINISH' | 'REASON') =>
  (await store.read({ start: jobFieldKey('', plan.job, field), end: `${jobFieldKey('', plan.job, field)}\0` }))[0]
    ?.value;
const until = async (field: 'ROSTER' | 'START' | 'FINISH'): Promise<void> => {
  const deadline = performance.now() + 2000;
  while ((await read(field)) === undefined) {
    if (performance.now() > deadline) throw new Error(`${field} was never written`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

describe('keepJob', () => {
  it('publishes the roster when all have published, START when all are ready, and returns the end', async () => {
    const kept = keep();
    await publish(0);
    expect(await read('ROSTER')).toBeUndefined();
    await publish(1);
    await until('ROSTER');
    const roster: unknown = JSON.parse((await read('ROSTER')) ?? '');
    expect(roster).toMatchObject([
      { index: 0, hostname: '12-node-0', ip: '10.128.4.1' },
      { index: 1, hostname: '12-node-1' },
    ]);
    await ready(1);
    await ready(0);
    await until('START');
    await put({ '/12/EXITCODE': '3', '/12/REASON': 'command', '/12/FINISH': 'TRUE' });
    expect(await kept).toEqual({ by: 'command', exitStatus: 3 });
    expect(events.map(({ event }) => event).filter((event) => event !== 'node')).toEqual(['gathered', 'ready']);
  });

  describe('of a job whose command comes later', () => {
    const late = { command: { kind: 'argv' as const, argv: ['true'] }, environment: { A: '1' } };
    const never = new Promise<typeof late>(() => undefined);
    const keepLate = (lateCommand: Promise<typeof late>, { scriptSeconds = 2, within = store } = {}) => {
      site = parseSite(`version: 1\ndeadlines: {startSeconds: 1, discoverSeconds: 1, scriptSeconds: ${scriptSeconds}}`);
      const emit = (event: HelperEvent): void => void events.push(event);
      const latePlan = { ...plan, command: { kind: 'later' as const } };
      return keepJob({
        jobStore: jobStoreIn(within, plan),
        site,
        plan: latePlan,
        cancelled: cancel.signal,
        emit,
        lateCommand,
      });
    };
    const allReady = async () => {
      await Promise.all([publish(0), publish(1), ready(0), ready(1)]);
      await expect.poll(() => events.map(({ event }) => event)).toContain('ready');
    };

    it('says that all are ready, and START with the command when it has come', async () => {
      const given = Promise.withResolvers<typeof late>();
      const kept = keepLate(given.promise);
      await allReady();
      expect(await read('START')).toBeUndefined();
      given.resolve(late);
      await until('START');
      expect(JSON.parse((await read('START')) ?? '')).toEqual(late);
      await put({ '/12/EXITCODE': '3', '/12/REASON': 'command', '/12/FINISH': 'TRUE' });
      expect(await kept).toEqual({ by: 'command', exitStatus: 3 });
    });

    it('ends the job when the command does not come in time', async () => {
      const kept = keepLate(never, { scriptSeconds: 1 });
      await allReady();
      expect(await kept).toMatchObject({ by: 'middleware', code: 'SCRIPT_LATE', exitStatus: 75 });
      expect(await read('START')).toBeUndefined();
      expect(await read('FINISH')).toBe('TRUE');
    });

    it('ends the job when a node is lost meanwhile', async () => {
      const kept = keepLate(never);
      await allReady();
      await put({ [nodeFieldKey('', plan.job, 1, 'ERROR')]: 'NODE_LOST: gone' });
      expect(await kept).toMatchObject({ code: 'NODE_LOST' });
    });

    it('starts it although the store is away for a moment when the command comes', async () => {
      let left = 2;
      const commit: Store['commit'] = async (transaction) => {
        const isStart = transaction.puts?.some(({ key }) => key === jobFieldKey('', plan.job, 'START'));
        if (isStart === true && (left -= 1) >= 0)
          throw new JobError({ code: 'STORE_UNREACHABLE', message: 'no answer in time' });
        return await store.commit(transaction);
      };
      const kept = keepLate(Promise.resolve(late), { within: { ...store, commit }, scriptSeconds: 5 });
      await allReady();
      await until('START');
      await put({ '/12/EXITCODE': '3', '/12/REASON': 'command', '/12/FINISH': 'TRUE' });
      expect(await kept).toEqual({ by: 'command', exitStatus: 3 });
    });

    it('writes no START any more once the wait for it is over', async () => {
      let tries = 0;
      const commit: Store['commit'] = async (transaction) => {
        if (transaction.puts?.some(({ key }) => key === jobFieldKey('', plan.job, 'START'))) {
          tries += 1;
          throw new JobError({ code: 'STORE_UNREACHABLE', message: 'no answer in time' });
        }
        return await store.commit(transaction);
      };
      const kept = keepLate(Promise.resolve(late), { within: { ...store, commit }, scriptSeconds: 1 });
      await allReady();
      expect(await kept).toMatchObject({ by: 'middleware', code: 'STORE_UNREACHABLE' });
      expect(tries).toBeGreaterThan(1);
      const before = tries;
      await new Promise((resolve) => setTimeout(resolve, 700));
      expect(tries).toBe(before);
    });

    it('ends the job when START cannot be written', async () => {
      const start = jobFieldKey('', plan.job, 'START');
      const commit: Store['commit'] = async (transaction) => {
        if (transaction.puts?.some((each) => each.key === start)) throw new Error('too large');
        return await store.commit(transaction);
      };
      const kept = keepLate(Promise.resolve(late), { within: { ...store, commit } });
      await allReady();
      expect(await kept).toMatchObject({ by: 'middleware', code: 'BUG' });
      expect(await read('FINISH')).toBe('TRUE');
    });
  });

  it("returns the command's end that came by another way, and writes it for the hosts", async () => {
    const kept = keep();
    cancel.abort(new CommandEnded({ by: 'command', exitStatus: 7 }));
    expect(await kept).toEqual({ by: 'command', exitStatus: 7 });
    expect(await read('FINISH')).toBe('TRUE');
  });

  it("returns the command's end also when the store is away", async () => {
    const kept = keep();
    await until('FINISH');
    await store.close();
    cancel.abort(new CommandEnded({ by: 'command', exitStatus: 7 }));
    expect(await kept).toEqual({ by: 'command', exitStatus: 7 });
  });

  it.each([
    ['names the lost lease', '', 'LEASE_LOST'],
    ['names the launcher', 'FALSE', 'LAUNCHER_FAILED'],
  ])('%s when the launcher has ended and FINISH is "%s"', async (_, finish, code) => {
    const kept = keep();
    await until('FINISH');
    const key = jobFieldKey('', plan.job, 'FINISH');
    cancel.abort(new LauncherEnded({ status: 1, detail: '' }));
    if (finish === '') await store.commit({ deletes: [keyOnly(key)] });
    expect(await kept).toMatchObject({ code });
  });

  it.each([
    [
      'a helper said before the start',
      false,
      'STORE_UNREACHABLE',
      "It is away. (The scheduler's launcher ended with status 69.)",
    ],
    [
      'is said once the command may write the same',
      true,
      'LAUNCHER_FAILED',
      "The scheduler's launcher ended with status 69",
    ],
  ])('tells the cause that %s first', async (_, hasBegun, code, message) => {
    const kept = keep();
    if (hasBegun) {
      for (const index of [0, 1]) await publish(index);
      await until('ROSTER');
      for (const index of [0, 1]) await ready(index);
      await until('START');
    }
    const detail = 'x\nhpc-dockerjob-helper: It is away. [STORE_UNREACHABLE]\nsrun: error: odd\n';
    cancel.abort(new LauncherEnded({ status: 69, detail }));
    expect(await kept).toMatchObject({ code, message: expect.stringContaining(message) as string });
  });

  describe('when the launcher of a job that runs ends by itself', () => {
    const phase = (index: number, value?: string) => {
      const key = nodeFieldKey('', plan.job, index, 'PHASE');
      return value === undefined ? store.commit({ deletes: [keyOnly(key)] }) : put({ [key]: value });
    };
    const lose = async (signal?: string): Promise<{ readonly kept: Promise<JobEnd> }> => {
      const kept = keep();
      for (const index of [0, 1]) await publish(index);
      await until('ROSTER');
      for (const index of [0, 1]) {
        await put({ [nodeFieldKey('', plan.job, index, 'HOST')]: `c${index + 1}` });
        await phase(index, 'running');
        await ready(index);
      }
      await until('START');
      cancel.abort(new LauncherEnded({ status: 255, signal, detail: 'broken pipe' }));
      return { kept };
    };

    it('names the host that is lost, though those that live say first that they end', async () => {
      const { kept } = await lose();
      await put({ [nodeFieldKey('', plan.job, 0, 'ERROR')]: 'TERMINATED: its launcher is gone.' });
      await phase(0, 'failed');
      setTimeout(() => void phase(1), 300);
      const message = expect.stringContaining('12-node-1 on host c2: its helper has died') as string;
      expect(await kept).toMatchObject({ code: 'NODE_LOST', exitStatus: 75, message });
    });

    it('blames the launcher when every host lives and says so, and no sudo rule', async () => {
      const { kept } = await lose();
      for (const index of [0, 1]) await phase(index, 'failed');
      const end = await kept;
      expect(end).toMatchObject({ code: 'LAUNCHER_FAILED', exitStatus: 69 });
      expect(JSON.stringify(end)).not.toContain('sudo');
    });

    it('waits for nobody when it was killed', async () => {
      const startedAt = performance.now();
      const { kept } = await lose('SIGKILL');
      expect(await kept).toMatchObject({ code: 'LAUNCHER_FAILED' });
      expect(performance.now() - startedAt).toBeLessThan(2500);
    });
  });

  it('names the node that the launcher saw end before it ended itself, and how', async () => {
    const kept = keep();
    await until('FINISH');
    const killed = { how: 'was killed (Killed)', detail: '' };
    const tasks = [
      { hosts: ['c2.site'], ...killed },
      { hosts: ['c1'], ...killed },
    ];
    cancel.abort(new LauncherEnded({ status: 137, detail: 'srun: error: c2: task 1: Killed' }, tasks));
    const message = expect.stringContaining(
      '12-node-1 on host c2 (not started): its helper was killed (Killed)',
    ) as string;
    expect(await kept).toMatchObject({ code: 'NODE_LOST', message });
  });

  it.each([
    ['ssh: connect to host c2 port 22: No route to host', '12-node-1 on host c2 (not started): the sch'],
    ['lsrun: c2.site: Connection refused', '12-node-1 on host c2 (not started): the sch'],
    ['The agent of c2 is down. Please wait', '12-node-1 on host c2 (not started): the sch'],
    [
      'srun: error: Unable to create step for job 12: Required node not available (down, drained or reserved)',
      'one or more of the hosts c1, c2 (not started)',
    ],
  ])('names the host that the launcher does not reach, without a word of sudo: %s', async (detail, message) => {
    const kept = keep();
    await until('FINISH');
    cancel.abort(new LauncherEnded({ status: 1, detail: `odd\n${detail}\n` }));
    const end = await kept;
    expect(end).toMatchObject({ code: 'NODE_LOST', exitStatus: 75 });
    expect(end).toHaveProperty('message', expect.stringContaining(message));
    expect(end).toHaveProperty('message', expect.stringContaining(detail));
    expect(JSON.stringify(end)).not.toContain('sudo');
  });

  describe('of a node whose helper is gone without a word', () => {
    const loseNode = async (told: readonly EndedTasks[], explained = false) => {
      const emit = (event: HelperEvent): void => void events.push(event);
      const kept = keepJob({
        ...{ jobStore: jobStoreIn(store, plan), site, plan, cancelled: cancel.signal, emit },
        toldTaskEnds: () => told,
        memory: { explain: async (error) => await Promise.resolve(explained ? noMemory : error) },
      });
      await put({ [nodeFieldKey('', plan.job, 1, 'HOST')]: 'c2' });
      return await kept;
    };
    const noMemory = new JobError({ code: 'OUT_OF_MEMORY', message: 'memory ran out.' });
    const killed = { hosts: ['c2.site'], how: 'was killed (Out Of Memory)', detail: '' };

    it('says that memory ran out when the launcher has said so', async () => {
      const message = '12-node-1 on host c2: memory ran out there, and the kernel killed its helper.';
      expect(await loseNode([killed])).toMatchObject({ code: 'OUT_OF_MEMORY', exitStatus: 65, message });
    });

    it('says so when the kernel has killed a process of the job on this host', async () => {
      expect(await loseNode([], true)).toMatchObject({ code: 'OUT_OF_MEMORY', exitStatus: 65 });
    });

    it('says no more than that it is gone when nobody knows better', async () => {
      const other = { ...killed, how: 'was killed (Killed)' };
      expect(await loseNode([other, { ...killed, hosts: ['c9'] }])).toMatchObject({
        code: 'NODE_LOST',
        exitStatus: 75,
      });
    });
  });

  it('names who is missing, on which host and in which phase, when the deadline passes', async () => {
    await publish(0);
    await put({ [nodeFieldKey('', plan.job, 1, 'PHASE')]: 'creating' });
    const end = await keep();
    expect(end).toMatchObject({ by: 'middleware', code: 'NODE_LATE', exitStatus: 75 });
    expect(end).toHaveProperty(
      'message',
      expect.stringContaining('1 of 2 nodes did not publish its address within 1 s: 12-node-1 on c2 (creating)'),
    );
    expect(await read('FINISH')).toBe('TRUE');
  });

  it('counts no time in which a host fetches the image, and tells how far it is', async () => {
    await publish(0);
    await put({
      [nodeFieldKey('', plan.job, 1, 'PHASE')]: 'fetching',
      [nodeFieldKey('', plan.job, 1, 'FETCHED')]: '5/10',
    });
    const kept = keep();
    await new Promise((resolve) => setTimeout(resolve, 1800));
    expect(await read('FINISH')).toBe('FALSE');
    await put({
      [nodeFieldKey('', plan.job, 1, 'PHASE')]: 'creating',
      [nodeFieldKey('', plan.job, 1, 'FETCHED')]: '10/10',
    });
    await publish(1);
    await until('ROSTER');
    await put({ '/12/EXITCODE': '0', '/12/REASON': 'command', '/12/FINISH': 'TRUE' });
    expect(await kept).toEqual({ by: 'command', exitStatus: 0 });
    expect(events).toContainEqual({ event: 'fetching', hosts: [{ host: 'c2', bytes: 5, total: 10 }] });
  });

  it('counts no time in which the job is to stand still, also before a node could follow', async () => {
    const rest = { suspend: () => Promise.resolve(), resume: () => Promise.resolve() };
    const suspension = trackSuspension(rest, () => undefined);
    await put({ [jobFieldKey('', plan.job, 'WANTED')]: 'suspended' });
    let hasEnded = false;
    const emit = (event: HelperEvent): void => void events.push(event);
    const kept = keepJob({
      jobStore: jobStoreIn(store, plan),
      site,
      plan,
      cancelled: cancel.signal,
      emit,
      suspension,
    }).finally(() => (hasEnded = true));
    await new Promise((resolve) => setTimeout(resolve, 1600));
    expect(hasEnded).toBe(false);
    await put({ [jobFieldKey('', plan.job, 'WANTED')]: 'running' });
    expect(await kept).toMatchObject({ code: 'NODE_LATE' });
  });

  it('ends the job with the trouble that a node reports', async () => {
    const kept = keep();
    await put({ [nodeFieldKey('', plan.job, 1, 'ERROR')]: 'IMAGE_NOT_PRESENT: image x is not present on host c2.' });
    expect(await kept).toMatchObject({
      code: 'IMAGE_NOT_PRESENT',
      exitStatus: 65,
      message: '12-node-1 on host c2: image x is not present on host c2.',
    });
    expect(await read('REASON')).toMatch(/^IMAGE_NOT_PRESENT: 12-node-1/);
  });

  it('ends the job when it is cancelled, and keeps an end that was there before', async () => {
    cancel.abort(new JobError({ code: 'TERMINATED', message: 'cancelled' }));
    expect(await keep()).toMatchObject({ code: 'TERMINATED', exitStatus: 143 });
    await put({ '/12/EXITCODE': '0', '/12/REASON': 'command' });
    expect(await keep()).toMatchObject({ by: 'command', exitStatus: 0 });
  });

  it('takes a vanished FINISH for a lost lease', async () => {
    await store.commit({ deletes: [{ start: '/12/FINISH', end: '/12/FINISH\0' }] });
    expect(await keep()).toMatchObject({ code: 'LEASE_LOST', exitStatus: 75 });
  });

  it('ends a job that runs longer than its application may', async () => {
    await publish(0);
    await publish(1);
    await ready(0);
    await ready(1);
    expect(await keepLimited(() => Promise.reject(new Error('not to be asked')))).toMatchObject({
      code: 'TIME_LIMIT',
      exitStatus: 77,
    });
  });

  it.each([
    ['one node is paused, whatever the scheduler says', ['suspended', 'running'], 60],
    ['all nodes are paused, but not by the scheduler', ['suspended', 'suspended'], 0],
  ] as const)('counts the time while %s', async (_, phases, suspendedSeconds) => {
    await suspend(phases);
    expect(await keepLimited(() => Promise.resolve(suspendedSeconds))).toMatchObject({ code: 'TIME_LIMIT' });
  });

  it('does not count the time for which the scheduler has suspended the job', async () => {
    await suspend(['suspended', 'suspended']);
    let isOver = false;
    const kept = keepLimited(() => Promise.resolve(60)).finally(() => (isOver = true));
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect(isOver).toBe(false);
    await suspend(['running', 'running']);
    expect(await kept).toMatchObject({ code: 'TIME_LIMIT' });
  });

  /** The job of all nodes ready, whose application may run for a second. */
  async function keepLimited(readSuspendedSeconds: () => Promise<number>): Promise<JobEnd> {
    const limited = { ...plan, maxRunSeconds: 1, application: 'app:1' };
    const kept = {
      jobStore: jobStoreIn(store, plan),
      site,
      plan: limited,
      cancelled: cancel.signal,
      emit: () => undefined,
    };
    return await keepJob({ ...kept, readSuspendedSeconds });
  }

  async function suspend(phases: readonly string[]): Promise<void> {
    await publish(0);
    await publish(1);
    await ready(0);
    await ready(1);
    for (const [index, phase] of phases.entries()) await put({ [nodeFieldKey('', plan.job, index, 'PHASE')]: phase });
  }
});
