import { expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { claimSubnet } from '../../../src/helper/job/claim-subnet.ts';
import { reserveSubnet } from '../../../src/helper/keeper/reserve-subnet.ts';
import { createMemoryStore } from '../../../src/local-store/memory-store.ts';
import type { Store } from '../../../src/ports/store.ts';
import { allOrNone } from '../../../src/system/all-or-none.ts';
import { JobError } from '../../../src/values/errors.ts';
import { requireJobKey } from '../../../src/contract/job-key.ts';
import type { JobRequest } from '../../../src/contract/job-request.ts';
import { subnetsRange } from '../../../src/contract/kvs-keys.ts';

const site = parseSite('version: 1');
const request = { job: requireJobKey('12') } as JobRequest;
const neighbour = { prefix: '', pool: site.network.pool, prefixLength: 24, job: '13', token: 'b' };

const reserve = async (store: Store, claims: AsyncDisposableStack) =>
  await reserveSubnet({ site }, store, request, { driver: 'vxlan', token: 'a', uid: 2001 }, claims);

const held = async (store: Store) =>
  (await store.read(subnetsRange(''))).map(({ value }) => JSON.parse(value) as object);

it('gives a subnet back whose claim was made although its answer never came', async () => {
  const store = createMemoryStore();
  await claimSubnet(store, neighbour);
  let isLost = true;
  const losing: Store = {
    ...store,
    commit: async (transaction) => {
      const answer = await store.commit(transaction);
      if (!isLost) return answer;
      isLost = false;
      throw new JobError({ code: 'STORE_UNREACHABLE', message: 'no answer' });
    },
  };
  const claims = new AsyncDisposableStack();
  await expect(reserve(losing, claims)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
  expect(await held(store)).toHaveLength(2);
  await claims.disposeAsync();
  expect(await held(store)).toMatchObject([{ job: '13' }]);
});

it('gives a subnet back that was claimed beside something that failed sooner', async () => {
  const store = createMemoryStore();
  const slow: Store = {
    ...store,
    commit: async (transaction) => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      return await store.commit(transaction);
    },
  };
  const failing = async (): Promise<void> => {
    await using claims = new AsyncDisposableStack();
    await allOrNone([reserve(slow, claims), Promise.reject(new Error('no lease'))]);
  };
  await expect(failing()).rejects.toThrow('no lease');
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(await held(store)).toEqual([]);
});
