import { expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { followControl } from '../../../src/helper/node/follow-control.ts';
import { lifelineOf } from '../../../src/helper/job/lifeline.ts';
import { claimNode } from '../../../src/helper/node/own-node.ts';
import { createMemoryStore } from '../../../src/local-store/memory-store.ts';
import type { Store } from '../../../src/ports/store.ts';
import { jobFieldKey } from '../../../src/contract/kvs-keys.ts';
import { makePlan } from '../../support/make-plan.ts';
import { jobStoreIn } from '../../support/job-store.ts';

const plan = makePlan({ hosts: ['c1', 'c2'] });
const told = new AbortController().signal;

async function openJob(finish = 'FALSE'): Promise<Store> {
  const store = createMemoryStore();
  const puts = Object.entries({ PLAN: JSON.stringify(plan), FINISH: finish }).map(([field, value]) => ({
    key: jobFieldKey('', plan.job, field as 'PLAN'),
    value,
  }));
  await store.commit({ puts });
  return store;
}

/** What one run-node makes of its claim; each has a lease of its own. */
async function claimIn(store: Store): Promise<boolean> {
  const followed = followControl(jobStoreIn(store, plan), plan.launchId, told);
  try {
    return await claimNode({
      site: parseSite('version: 1'),
      jobStore: jobStoreIn(store, plan),
      plan,
      node: plan.nodes[0]!,
      followed,
      told,
      life: lifelineOf(store, 20, await store.grantLease(20)),
      signalsByStore: false,
      stepTimesMs: {},
      usage: {},
    });
  } finally {
    followed.stop();
  }
}

it('gives a node to the first run-node alone, also while that one is still creating', async () => {
  const store = await openJob();
  expect(await claimIn(store)).toBe(true);
  expect(await claimIn(store)).toBe(false);
});

it('recognises its own claim when the answer to the first try was lost', async () => {
  const store = await openJob();
  const forgetful: Store = {
    ...store,
    commit: async (transaction) => {
      await store.commit(transaction);
      return await store.commit(transaction);
    },
  };
  expect(await claimIn(forgetful)).toBe(true);
});

it('gives no node of a job that has ended', async () => {
  expect(await claimIn(await openJob('TRUE'))).toBe(false);
});
