import { PassThrough } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { trackSuspension } from '../../../src/helper/job/follow-suspension.ts';
import { parseJobState } from '../../../src/helper/job/job-state.ts';
import { receiveOrders } from '../../../src/helper/keeper/receive-orders.ts';
import { steerJob } from '../../../src/helper/control/steer-job.ts';
import type { Steering } from '../../../src/helper/control/steer-job.ts';
import { keepWanted } from '../../../src/helper/job/want-suspension.ts';
import { createMemoryStore } from '../../../src/local-store/memory-store.ts';
import { passSignals } from '../../../src/middleware/pass-signals.ts';
import type { Store } from '../../../src/ports/store.ts';
import { JobError } from '../../../src/values/errors.ts';
import { jobFieldKey, jobRange, nodeFieldKey } from '../../../src/contract/kvs-keys.ts';
import { makePlan } from '../../support/make-plan.ts';
import { jobStoreIn } from '../../support/job-store.ts';

const plan = makePlan({ hosts: ['c1', 'c2'] });
const site = parseSite('version: 1\ndeadlines: {stopSeconds: 1, releaseSeconds: 2}');
let store: Store;

beforeEach(async () => {
  store = createMemoryStore();
  await put({ PLAN: JSON.stringify(plan), FINISH: 'FALSE' });
  await phase('running', 'running');
});
afterEach(async () => await store.close());

async function put(fields: Partial<Record<'PLAN' | 'FINISH' | 'WANTED', string>>): Promise<void> {
  const puts = Object.entries(fields).map(([name, value]) => ({
    key: jobFieldKey('', plan.job, name as 'PLAN'),
    value,
  }));
  await store.commit({ puts });
}

async function phase(...phases: readonly string[]): Promise<void> {
  const puts = phases.map((value, index) => ({ key: nodeFieldKey('', plan.job, index, 'PHASE'), value }));
  await store.commit({ puts });
}

const readState = async () => parseJobState('', plan.job, await store.read(jobRange('', plan.job)));
const steer = async (steering: Steering) => await steerJob({ site, jobStore: jobStoreIn(store, plan), plan }, steering);

/** Whether a call has returned; it must not be over before its time. */
function watch(call: Promise<void>): { readonly isOver: () => boolean; readonly call: Promise<void> } {
  let over = false;
  void call.then(
    () => (over = true),
    () => (over = true),
  );
  return { isOver: () => over, call };
}

describe('steerJob', () => {
  it('says that the job is to stand still, and returns when every node does', async () => {
    const suspending = watch(steer('suspend'));
    await pause(20);
    expect((await readState()).wanted).toBe('suspended');
    await phase('suspended');
    await pause(20);
    expect(suspending.isOver()).toBe(false);
    await phase('suspended', 'suspended');
    await suspending.call;
  });

  it('says that the job is to go on, and returns when no node stands still', async () => {
    await phase('suspended', 'suspended');
    const resuming = watch(steer('resume'));
    await phase('running');
    await pause(20);
    expect(resuming.isOver()).toBe(false);
    await phase('running', 'running');
    await resuming.call;
    expect((await readState()).wanted).toBe('running');
  });

  it('ends the job for all, and returns when every host has reported', async () => {
    const stopping = watch(steer('stop'));
    await phase('released', 'stopping');
    await pause(20);
    expect(stopping.isOver()).toBe(false);
    await phase('released', 'released');
    await stopping.call;
    expect((await readState()).end).toMatchObject({ by: 'middleware', exitStatus: 143, code: 'TERMINATED' });
  });

  it('takes keys that are gone for a report of all hosts', async () => {
    const stopping = steer('stop');
    await store.commit({ deletes: [jobRange('', plan.job)] });
    await stopping;
  });

  it.each<Steering>(['suspend', 'stop'])('names the nodes that do not %s in time', async (steering) => {
    const steered = steer(steering);
    await phase(steering === 'stop' ? 'released' : 'suspended');
    await expect(steered).rejects.toMatchObject({
      code: 'NODE_LATE',
      message: `1 of 2 nodes did not ${steering} within 3 s: 12-node-1 on c2 (running).`,
    });
  });

  it('gives up when somebody wants the opposite', async () => {
    const suspending = steer('suspend');
    const refused = expect(suspending).rejects.toMatchObject({ code: 'JOB_BUSY' });
    await pause(20);
    await phase('running', 'running');
    const resuming = steer('resume');
    await refused;
    await resuming;
  });

  it('has nothing to wait for in a job that is over', async () => {
    await put({ FINISH: 'TRUE' });
    await steer('suspend');
    expect((await readState()).wanted).toBeUndefined();
  });
});

describe('keepWanted', () => {
  it('writes the last word, also when the store was away for the first ones', async () => {
    let isAway = true;
    const flaky: Store = {
      ...store,
      commit: async (transaction) => {
        if (isAway) throw new JobError({ code: 'STORE_UNREACHABLE', message: 'away' });
        return await store.commit(transaction);
      },
    };
    const over = new AbortController();
    const want = keepWanted(jobStoreIn(flaky, plan), over.signal);
    want('suspended');
    await pause(20);
    want('running');
    isAway = false;
    await expect.poll(async () => (await readState()).wanted, { timeout: 3000 }).toBe('running');
    want('suspended');
    await expect.poll(async () => (await readState()).wanted).toBe('suspended');
    over.abort();
  });

  it('spares the store a flood', async () => {
    let writes = 0;
    const counted: Store = {
      ...store,
      commit: async (transaction) => {
        writes += 1;
        return await store.commit(transaction);
      },
    };
    const over = new AbortController();
    const startedAt = performance.now();
    const want = keepWanted(jobStoreIn(counted, plan), over.signal);
    for (let round = 0; round < 300; round += 1) {
      want(round % 2 === 0 ? 'suspended' : 'running');
      await pause(1);
    }
    want('suspended');
    await expect.poll(async () => (await readState()).wanted, { timeout: 3000 }).toBe('suspended');
    // Half a second between two of them: so many as there was time for, also where timers come late.
    expect((writes - 1) * 500).toBeLessThan(performance.now() - startedAt + 50);
    over.abort();
  });

  it('says nothing of a job that has ended', async () => {
    await put({ FINISH: 'TRUE' });
    keepWanted(jobStoreIn(store, plan), new AbortController().signal)('suspended');
    await pause(20);
    expect((await readState()).wanted).toBeUndefined();
  });
});

describe('trackSuspension', () => {
  it('carries out the last word when an action is done, and nothing twice', async () => {
    const seen: string[] = [];
    const slow = (what: string) => async (): Promise<void> => {
      seen.push(what);
      await pause(20);
    };
    const suspension = trackSuspension({ suspend: slow('suspend'), resume: slow('resume') }, () => undefined);
    for (let round = 0; round < 100; round += 1) suspension.set(round % 2 === 0);
    suspension.set(true);
    suspension.set(true);
    await pause(60);
    expect(seen).toEqual(['suspend']);
    suspension.set(false);
    await pause(40);
    expect(seen).toEqual(['suspend', 'resume']);
  });

  it('tries again what has failed, and undoes what may have been half done', async () => {
    const seen: string[] = [];
    let isBroken = true;
    const faults: unknown[] = [];
    const suspension = trackSuspension(
      {
        suspend: () => {
          seen.push('suspend');
          return isBroken ? Promise.reject(new Error('engine')) : Promise.resolve();
        },
        resume: () => Promise.resolve(void seen.push('resume')),
      },
      (error) => faults.push(error),
      5,
    );
    suspension.set(true);
    await pause(1);
    suspension.set(false);
    await pause(20);
    expect(seen).toEqual(['suspend', 'resume']);
    suspension.set(true);
    await expect.poll(() => seen.length).toBeGreaterThan(4);
    isBroken = false;
    await pause(20);
    const count = seen.length;
    await pause(20);
    expect(seen.length).toBe(count);
    expect(faults.length).toBe(count - 2);
  });
});

describe('the batch script’s suspension', () => {
  it('becomes an order, where the scheduler tells nobody else', () => {
    const wanted: string[] = [];
    const ignore = (): void => undefined;
    {
      using _signals = passSignals({ cancel: ignore, forward: ignore, want: (state) => wanted.push(state) });
      process.emit('SIGTSTP', 'SIGTSTP');
      process.emit('SIGCONT', 'SIGCONT');
    }
    process.emit('SIGCONT', 'SIGCONT');
    expect(wanted).toEqual(['suspended', 'running']);
  });

  it('stops this program as any other, where the scheduler sees to it', () => {
    const ignore = (): void => undefined;
    using _signals = passSignals({ cancel: ignore, forward: ignore });
    expect(process.listenerCount('SIGTSTP')).toBe(0);
  });

  it('counts by its last word, also before anybody asks', async () => {
    const input = new PassThrough();
    const orders = receiveOrders(input, 1000);
    input.write('{}\n');
    for (const state of ['running', 'suspended', 'sleeping'])
      input.write(`${JSON.stringify({ order: 'want', state })}\n`);
    input.write('{"order":"want","state":"suspended"}\n{"order":"want"}\n');
    await pause(20);
    const seen: string[] = [];
    orders.onWanted((state) => seen.push(state));
    input.write('{"order":"want","state":"running"}\n');
    await pause(20);
    expect(seen).toEqual(['suspended', 'running']);
    orders.close();
  });
});
