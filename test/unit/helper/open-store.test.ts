import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { connectKeeper, emptyOnceGone, openStoreToEnd } from '../../../src/helper/job/open-store.ts';
import { steerJob } from '../../../src/helper/control/steer-job.ts';
import { connectLocalStore } from '../../../src/local-store/connect-local-store.ts';
import { createMemoryStore } from '../../../src/local-store/memory-store.ts';
import { serveStore } from '../../../src/local-store/serve-store.ts';
import type { Store } from '../../../src/ports/store.ts';
import { JobError } from '../../../src/values/errors.ts';
import { jobFieldKey, jobRange, nodeFieldKey } from '../../../src/contract/kvs-keys.ts';
import { makePlan } from '../../support/make-plan.ts';
import { jobStoreIn } from '../../support/job-store.ts';

const plan = makePlan();
const site = parseSite('version: 1\ndeadlines: {stopSeconds: 1, releaseSeconds: 2}');
const finish = jobFieldKey('', plan.job, 'FINISH');
let directory: string;
let socket: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-end-'));
  socket = path.join(directory, 'store.sock');
});
afterEach(async () => await rm(directory, { recursive: true, force: true }));

/** A keeper's store with a running job, and somebody who waits for its end. */
async function keepJobHere(): Promise<{
  readonly seen: Store;
  readonly kept: Store;
  readonly end: () => Promise<void>;
}> {
  const kept = createMemoryStore();
  const server = await serveStore(kept, socket);
  onTestFinished(async () => await server.close());
  await kept.commit({
    puts: [
      { key: jobFieldKey('', plan.job, 'PLAN'), value: JSON.stringify(plan) },
      { key: finish, value: 'FALSE' },
      { key: nodeFieldKey('', plan.job, 0, 'PHASE'), value: 'running' },
    ],
  });
  const seen = emptyOnceGone(connectLocalStore(socket), socket);
  onTestFinished(async () => await seen.close());
  return { seen, kept, end: async () => await server.close() };
}

describe('the store of a job on one host', () => {
  it('is empty once its keeper has gone: who ends the job learns at once that it is over', async () => {
    const { seen, kept, end } = await keepJobHere();
    const watch = kept.watch({ start: finish, end: `${finish}\0` }, () => void end());
    onTestFinished(async () => await watch.close());
    const startedAt = performance.now();
    await steerJob({ site, jobStore: jobStoreIn(seen, plan), plan }, 'stop');
    expect(performance.now() - startedAt).toBeLessThan(2000);
    expect(await seen.read(jobRange('', plan.job))).toEqual([]);
  });

  it('has nothing left to be told when its keeper has gone before', async () => {
    const { seen, end } = await keepJobHere();
    await seen.read(jobRange('', plan.job));
    await end();
    await steerJob({ site, jobStore: jobStoreIn(seen, plan), plan }, 'suspend');
    await steerJob({ site, jobStore: jobStoreIn(seen, plan), plan }, 'stop');
  });

  it('is away, not empty, when its keeper was killed: its socket is still there', async () => {
    const { seen, end } = await keepJobHere();
    await end();
    await writeFile(socket, '');
    await expect(seen.read(jobRange('', plan.job))).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    await expect(seen.commit({})).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
  });

  it('passes on what its keeper refuses', async () => {
    const refusing: Store = {
      ...createMemoryStore(),
      read: () => Promise.reject(new JobError({ code: 'LEASE_LOST', message: 'ended' })),
    };
    await expect(emptyOnceGone(refusing, socket).read(jobRange('', plan.job))).rejects.toMatchObject({
      code: 'LEASE_LOST',
    });
  });

  it('is empty where there is none, at a site without etcd', async () => {
    const { store } = await openStoreToEnd(site, makePlan().job);
    expect(await store.read(jobRange('', plan.job))).toEqual([]);
  });
});

it('waits for the keeper as long as the site waits for etcd', async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(socket, resolve));
  onTestFinished(() => void silent.close());
  const askWithin = async (callTimeoutMs: number): Promise<number> => {
    const store = connectKeeper(parseSite(`version: 1\netcd: {callTimeoutMs: ${callTimeoutMs}}`), socket);
    const startedAt = performance.now();
    await expect(store.read(jobRange('', plan.job))).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    await store.close();
    return performance.now() - startedAt;
  };
  const [short, long] = await Promise.all([askWithin(100), askWithin(1250)]);
  expect(short).toBeLessThan(2000);
  expect(long).toBeGreaterThanOrEqual(2495);
});
