import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { jobFieldKey } from '../../../src/contract/kvs-keys.ts';
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
  const site = parseSite('version: 1\ndeadlines: {openSeconds: 1}');
  const waited = awaitPlan(site, jobStoreIn(store, plan), followed, told, plan.user.uid + 1);
  await expect(waited).rejects.toMatchObject({ code: 'JOB_NOT_YOURS', exitStatus: 77 });
});
