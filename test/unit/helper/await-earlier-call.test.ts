import { setTimeout as pause } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import type { JobPlan } from '../../../src/contract/job-plan.ts';
import { jobFieldKey, jobRange } from '../../../src/contract/kvs-keys.ts';
import { awaitEarlierKeys } from '../../../src/helper/keeper/await-earlier-call.ts';
import { createMemoryStore } from '../../../src/local-store/memory-store.ts';
import { jobStoreIn } from '../../support/job-store.ts';
import { makePlan } from '../../support/make-plan.ts';

/** No directory of this job is on this machine. */
const plan = makePlan({ hosts: ['c1', 'c2'] });
const site = parseSite('version: 1\ndeadlines: {openSeconds: 4}'); // of which three quarters are waited
const noticeMs = 600;

/** How long a second call waits for one before it that has these keys and does this meanwhile; and what it finds then. */
async function waitBeside(
  fields: Readonly<Record<string, string>>,
  then: (store: ReturnType<typeof createMemoryStore>) => Promise<unknown> = async () => await Promise.resolve(),
  claimant: Pick<JobPlan, 'job' | 'scheduler' | 'schedulerJobId' | 'user'> = plan,
) {
  const store = createMemoryStore();
  onTestFinished(async () => await store.close());
  const puts = Object.entries({ PLAN: JSON.stringify(plan), ...fields }).map(([name, value]) => ({
    key: jobFieldKey('', plan.job, name as 'PLAN'),
    value,
  }));
  await store.commit({ puts });
  const begunAt = performance.now();
  const waited = awaitEarlierKeys(site, jobStoreIn(store, plan), claimant, noticeMs);
  await then(store);
  const { finish } = await waited;
  return { finish, ms: performance.now() - begunAt };
}

const put = async (store: ReturnType<typeof createMemoryStore>, name: 'FINISH', value: string): Promise<unknown> =>
  await store.commit({ puts: [{ key: jobFieldKey('', plan.job, name), value }] });

it('waits for a call that was killed until its keeper has taken it away', async () => {
  const { finish, ms } = await waitBeside({ FINISH: 'FALSE', KEEPER: 'x' }, async (store) => {
    await pause(200);
    await put(store, 'FINISH', 'TRUE');
    await pause(1000); // longer than a call that runs is waited for
    await store.commit({ deletes: [jobRange('', plan.job)] });
  });
  expect(finish).toBe('absent');
  expect(ms).toBeGreaterThan(1100);
  expect(ms).toBeLessThan(2800);
});

it.each<[string, number, number, Readonly<Record<string, string>>]>([
  ['gives way soon to one that runs', 600, 2000, { FINISH: 'FALSE', KEEPER: 'x' }],
  ['waits no longer than helpers wait for its plan', 2900, 4000, { FINISH: 'TRUE', KEEPER: 'x' }],
  ['waits for no keys that nobody keeps: they are taken over', 0, 300, { FINISH: 'TRUE' }],
  ['waits for no call whose keeper was killed', 0, 300, {}],
])('%s', async (_, least, most, fields) => {
  const { ms } = await waitBeside(fields);
  expect(ms).toBeGreaterThanOrEqual(least);
  expect(ms).toBeLessThan(most);
});

it.each([
  ['user', { user: { ...plan.user, uid: plan.user.uid + 1 } }],
  ['job', { schedulerJobId: '999' }],
])('waits for no call of another %s', async (_, change) => {
  const { ms } = await waitBeside({ FINISH: 'TRUE', KEEPER: 'x' }, undefined, { ...plan, ...change });
  expect(ms).toBeLessThan(300);
});
