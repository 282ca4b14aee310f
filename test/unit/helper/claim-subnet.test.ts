import { describe, expect, it } from 'vitest';
import { claimKey } from '../../../src/helper/job/claim-key.ts';
import { claimSubnet, freeSubnet, freeSubnetsOf, parseSubnetClaim } from '../../../src/helper/job/claim-subnet.ts';
import { createMemoryStore } from '../../../src/local-store/memory-store.ts';
import type { Store } from '../../../src/ports/store.ts';
import { subnetKey, subnetsRange } from '../../../src/contract/kvs-keys.ts';

const request = { prefix: '/site', pool: '10.128.0.0/20', prefixLength: 24, job: '772', token: 'a'.repeat(32) };
const poolSize = 16;
const claims = async (store: Store) => (await store.read(subnetsRange('/site'))).map(({ key }) => key);

/** A store whose answers to transactions are lost once: the transaction is carried out, tried again, and refused. */
const forgetful = (store: Store): Store => ({
  ...store,
  commit: async (transaction) => {
    await store.commit(transaction);
    return store.commit(transaction);
  },
});

describe('claimSubnet', () => {
  it('writes who holds which subnet, and since when', async () => {
    const store = createMemoryStore();
    const { cidr, index } = await claimSubnet(store, request);
    expect(cidr).toBe(`10.128.${index}.0/24`);
    const [entry] = await store.read(subnetsRange('/site'));
    expect(entry?.key).toBe(subnetKey('/site', cidr));
    expect(JSON.parse(entry!.value)).toEqual({
      job: '772',
      token: request.token,
      index,
      since: expect.any(String) as string,
    });
  });

  it('gives each of many claimers a subnet of its own until the pool is exhausted', async () => {
    const store = createMemoryStore();
    const all = await Promise.allSettled(
      Array.from({ length: poolSize + 4 }, (_, n) =>
        claimSubnet(store, { ...request, job: `${n + 1}`, token: `${n}` }),
      ),
    );
    const claimed = all.flatMap((result) => (result.status === 'fulfilled' ? [result.value.cidr] : []));
    const refused = all.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    expect(new Set(claimed).size).toBe(poolSize);
    expect(refused).toEqual(Array(4).fill(expect.objectContaining({ code: 'POOL_EXHAUSTED', exitStatus: 75 })));
  });

  it('finds the one subnet that is free', async () => {
    const store = createMemoryStore();
    const given = [];
    for (let n = 0; n < poolSize; n++) given.push(await claimSubnet(store, { ...request, token: `${n}` }));
    await freeSubnet(store, { ...request, token: '7', cidr: given[7]!.cidr });
    expect(await claimSubnet(store, request)).toEqual(given[7]);
  });

  it('recognises its own success when the answer to the first try was lost', async () => {
    const store = createMemoryStore();
    await claimSubnet(forgetful(store), request);
    expect(await claims(store)).toHaveLength(1);
  });

  it('refuses when the pool is smaller than one subnet', async () => {
    await expect(claimSubnet(createMemoryStore(), { ...request, pool: '10.0.0.0/25' })).rejects.toMatchObject({
      code: 'POOL_EXHAUSTED',
    });
  });
});

describe('freeSubnet', () => {
  it('frees its own claim, and does so twice without complaint', async () => {
    const store = createMemoryStore();
    const { cidr } = await claimSubnet(store, request);
    await freeSubnet(store, { ...request, cidr });
    await freeSubnet(store, { ...request, cidr });
    expect(await claims(store)).toEqual([]);
  });

  it.each([{ job: '773' }, { token: 'b'.repeat(32) }, { prefix: '/other' }])(
    'leaves the claim of another run alone: %o',
    async (other) => {
      const store = createMemoryStore();
      const { cidr } = await claimSubnet(store, request);
      await freeSubnet(store, { ...request, ...other, cidr });
      expect(await claims(store)).toHaveLength(1);
    },
  );

  it('leaves a value alone that is no claim', async () => {
    const store = createMemoryStore();
    await store.commit({ puts: [{ key: subnetKey('/site', '10.128.0.0/24'), value: 'reserved by hand' }] });
    await freeSubnet(store, { ...request, cidr: '10.128.0.0/24' });
    expect(await claims(store)).toHaveLength(1);
  });
});

it('frees all claims of one run of a job and no others', async () => {
  const store = createMemoryStore();
  await claimSubnet(store, request);
  await claimSubnet(store, request);
  const neighbour = await claimSubnet(store, { ...request, job: '1', token: 'b' });
  await freeSubnetsOf(store, request);
  expect(await claims(store)).toEqual([subnetKey('/site', neighbour.cidr)]);
});

it.each(['', 'null', '{}', '{"job":7}', '[]', 'text'])('does not take %j for a claim', (value) => {
  expect(parseSubnetClaim(value)).toBeUndefined();
});

describe('claimKey', () => {
  it('lets the first claimer have the key and tells the second', async () => {
    const store = createMemoryStore();
    expect(await claimKey(store, { key: '/k', value: 'one' })).toBe(true);
    expect(await claimKey(store, { key: '/k', value: 'two' })).toBe(false);
  });

  it('recognises its own success', async () => {
    expect(await claimKey(forgetful(createMemoryStore()), { key: '/k', value: 'one' })).toBe(true);
  });
});
