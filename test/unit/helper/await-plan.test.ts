import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { jobFieldKey, jobRange } from '../../../src/contract/kvs-keys.ts';
import { emptyOnceGone } from '../../../src/helper/job/open-store.ts';
import { awaitPlan } from '../../../src/helper/node/await-plan.ts';
import { followControl } from '../../../src/helper/node/follow-control.ts';
import { connectLocalStore } from '../../../src/local-store/connect-local-store.ts';
import { createMemoryStore } from '../../../src/local-store/memory-store.ts';
import { serveStore } from '../../../src/local-store/serve-store.ts';
import { jobStoreIn } from '../../support/job-store.ts';
import { makePlan } from '../../support/make-plan.ts';

const plan = makePlan();

it.each([
  ['before its keeper goes', 0],
  ['when its keeper goes', 300],
])('tells a stranger who waits for a job on one host the same %s', async (_, goesAfterMs) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-plan-'));
  onTestFinished(async () => await rm(directory, { recursive: true, force: true }));
  const socket = path.join(directory, 'store.sock');
  const kept = createMemoryStore();
  const server = await serveStore(kept, socket);
  await kept.commit({
    puts: [
      { key: jobFieldKey('', plan.job, 'PLAN'), value: JSON.stringify(plan) },
      { key: jobFieldKey('', plan.job, 'FINISH'), value: 'FALSE' },
    ],
  });
  const store = emptyOnceGone(connectLocalStore(socket), socket);
  onTestFinished(async () => await store.close());
  if (goesAfterMs > 0) setTimeout(() => void server.close(), goesAfterMs);
  else onTestFinished(async () => await server.close());
  const told = new AbortController().signal;
  const followed = followControl(jobStoreIn(store, plan), plan.launchId, told);
  onTestFinished(() => followed.stop());
  const site = parseSite('version: 1\ndeadlines: {openSeconds: 1}\ndocker: {callTimeoutMs: 1000}');
  const waited = awaitPlan(site, jobStoreIn(store, plan), followed, told, plan.user.uid + 1);
  await expect(waited).rejects.toMatchObject({ code: 'JOB_NOT_YOURS', exitStatus: 77 });
});

describe('a helper that waits for a job that is slow to be opened', () => {
  const site = parseSite('version: 1\ndeadlines: {openSeconds: 1}\ndocker: {callTimeoutMs: 1000}');
  const wait = () => {
    const store = createMemoryStore();
    onTestFinished(async () => await store.close());
    const told = new AbortController().signal;
    const followed = followControl(jobStoreIn(store, plan), plan.launchId, told);
    onTestFinished(() => followed.stop());
    return { store, found: awaitPlan(site, jobStoreIn(store, plan), followed, told) };
  };

  it('has its plan, though an engine hung for longer than an opening may take', async () => {
    const { store, found } = wait();
    setTimeout(() => {
      const values = { PLAN: JSON.stringify(plan), FINISH: 'FALSE' };
      const puts = Object.entries(values).map(([name, value]) => ({
        key: jobFieldKey('', plan.job, name as 'PLAN'),
        value,
      }));
      void store.commit({ puts });
    }, 1300);
    expect((await found)?.token).toBe(plan.token);
  });

  it('gives up in the end, and does not say that the job is another user’s', async () => {
    const { found } = wait();
    await expect(found).rejects.toMatchObject({
      code: 'NODE_LATE',
      message: `Job ${plan.job} was not opened within 2 s.`,
    });
  });
});

describe('a helper that comes while an earlier call of its job is still taken away', () => {
  const keysOf = ({ launchId, token }: { launchId: string; token: string }) => [
    { key: jobFieldKey('', plan.job, 'PLAN'), value: JSON.stringify({ ...plan, launchId, token }) },
    { key: jobFieldKey('', plan.job, 'FINISH'), value: 'FALSE' },
  ];
  const ours = { launchId: 'b'.repeat(16), token: 'b'.repeat(32) };
  const wait = async (ownerUid?: number) => {
    const store = createMemoryStore();
    onTestFinished(async () => await store.close());
    await store.commit({ puts: keysOf(plan) });
    const told = new AbortController().signal;
    const followed = followControl(jobStoreIn(store, plan), ours.launchId, told);
    onTestFinished(() => followed.stop());
    const site = parseSite('version: 1\ndeadlines: {openSeconds: 1}\ndocker: {callTimeoutMs: 1000}');
    return { store, plan: awaitPlan(site, jobStoreIn(store, plan), followed, told, ownerUid) };
  };

  it('waits for the plan of its own launch', async () => {
    const { store, plan: found } = await wait();
    await store.commit({ puts: [{ key: jobFieldKey('', plan.job, 'FINISH'), value: 'TRUE' }] });
    await store.commit({ deletes: [jobRange('', plan.job)] });
    await store.commit({ puts: keysOf(ours) });
    expect((await found)?.token).toBe(ours.token);
  });

  it('gives up in time when the other call runs, and says so to nobody else', async () => {
    const { plan: found } = await wait();
    await expect(found).rejects.toMatchObject({ code: 'JOB_BUSY' });
    const { plan: hidden } = await wait(plan.user.uid + 1);
    await expect(hidden).rejects.toMatchObject({ code: 'JOB_NOT_YOURS' });
  });
});
