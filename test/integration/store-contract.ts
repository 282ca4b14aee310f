import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Condition, Store, Transaction } from '../../src/ports/store.ts';
import type { KeyRange } from '../../src/contract/kvs-keys.ts';
import { keyOnly } from '../../src/contract/kvs-keys.ts';

/** A store to be tried, and how to end whatever stands behind it. */
export interface StoreUnderTest {
  /** A fresh connection to the same contents. */
  connect(): Store;
  stop(): Promise<void>;
}

const all: KeyRange = { start: '/', end: '0' };
const under = (prefix: string): KeyRange => ({ start: `${prefix}/`, end: `${prefix}0` });
const pairs = async (store: Store, range: KeyRange) => (await store.read(range)).map(({ key, value }) => [key, value]);

/** What every `Store` promises; run on each of them, so that the in-memory one stays honest. */
export function describeStoreContract(name: string, start: () => Promise<StoreUnderTest>): void {
  describe(`${name} keeps the store's contract`, () => {
    let service: StoreUnderTest;
    let store: Store;

    beforeAll(async () => {
      service = await start();
      store = service.connect();
    });
    afterAll(async () => {
      await store.close();
      await service.stop();
    });
    beforeEach(async () => {
      await store.commit({ deletes: [all] });
    });

    const put = (key: string, value: string) => store.commit({ puts: [{ key, value }] });
    const watchHints = (range: KeyRange) => {
      const lookAgain = vi.fn();
      const watch = store.watch(range, lookAgain);
      onTestFinished(() => watch.close());
      return { lookAgain, watch };
    };

    it('returns the entries of a range in key order and nothing beside it', async () => {
      for (const key of ['/7/b', '/7/a', '/70/x', '/7/B', '/6/z', '/7']) await put(key, `value of ${key}`);
      expect(await pairs(store, under('/7'))).toEqual(['/7/B', '/7/a', '/7/b'].map((key) => [key, `value of ${key}`]));
      expect(await pairs(store, keyOnly('/7'))).toEqual([['/7', 'value of /7']]);
      expect(await store.read(under('/8'))).toEqual([]);
    });

    it.each(['', 'two\nlines', '{"a":"\u00e4\u{1f600}"}', 'x'.repeat(1_000_000)])(
      'returns a value as it was put (%#)',
      async (value) => {
        await put('/a', value);
        expect(await pairs(store, keyOnly('/a'))).toEqual([['/a', value]]);
      },
    );

    const conditions: [string, boolean, Condition[]][] = [
      ['an absent key is absent', true, [{ kind: 'absent', key: '/none' }]],
      ['a present key is not absent', false, [{ kind: 'absent', key: '/a' }]],
      ['a present key is present', true, [{ kind: 'present', key: '/a' }]],
      ['an absent key is not present', false, [{ kind: 'present', key: '/none' }]],
      ['the value is equal', true, [{ kind: 'value', key: '/a', equals: '1' }]],
      ['the value is another', false, [{ kind: 'value', key: '/a', equals: '2' }]],
      ['an absent key has no value', false, [{ kind: 'value', key: '/none', equals: '' }]],
      [
        'one of two does not hold',
        false,
        [
          { kind: 'present', key: '/a' },
          { kind: 'present', key: '/none' },
        ],
      ],
      ['there is none', true, []],
    ];
    it.each(conditions)('commits all or nothing: %s', async (_name, holds, given) => {
      await put('/a', '1');
      await put('/old', '1');
      const done = await store.commit({
        conditions: given,
        puts: [{ key: '/new', value: '1' }],
        deletes: [keyOnly('/old')],
      });
      expect(done).toBe(holds);
      expect((await store.read(all)).map(({ key }) => key)).toEqual(holds ? ['/a', '/new'] : ['/a', '/old']);
    });

    it('lets exactly one of many claimers create a key', async () => {
      const claims = Array.from({ length: 20 }, (_, n) =>
        store.commit({ conditions: [{ kind: 'absent', key: '/claim' }], puts: [{ key: '/claim', value: `${n}` }] }),
      );
      expect((await Promise.all(claims)).filter(Boolean)).toHaveLength(1);
    });

    it('deletes a whole range', async () => {
      for (const key of ['/7/a', '/7/b', '/8/a']) await put(key, '');
      await store.commit({ deletes: [under('/7')] });
      expect(await pairs(store, all)).toEqual([['/8/a', '']]);
    });

    it('takes 128 operations', async () => {
      const puts = Array.from({ length: 128 }, (_, n) => ({ key: `/many/${n}`, value: '' }));
      expect(await store.commit({ puts })).toBe(true);
      expect(await store.read(under('/many'))).toHaveLength(128);
    });

    const malformed: [string, Transaction][] = [
      ['129 operations', { puts: Array.from({ length: 129 }, (_, n) => ({ key: `/${n}`, value: '' })) }],
      ['more than 1.5 MiB', { puts: [{ key: '/a', value: 'x'.repeat(1_600_000) }] }],
      [
        'one key put twice',
        {
          puts: [
            { key: '/a', value: '1' },
            { key: '/a', value: '2' },
          ],
        },
      ],
      ['one key put and deleted', { puts: [{ key: '/a', value: '1' }], deletes: [under('')] }],
    ];
    it.each(malformed)('refuses a transaction with %s', async (_name, transaction) => {
      await expect(store.commit(transaction)).rejects.toMatchObject({ code: 'BUG' });
      expect(await store.read(all)).toEqual([]);
    });

    it('removes the keys of a lease when it is revoked, and those only', async () => {
      const lease = await store.grantLease(30);
      await store.commit({
        puts: [
          { key: '/leased', value: '1', lease },
          { key: '/kept', value: '1' },
        ],
      });
      await lease.revoke();
      expect(await pairs(store, all)).toEqual([['/kept', '1']]);
      expect(lease.lost.aborted).toBe(false);
    });

    it('revokes a lease twice without complaint', async () => {
      const lease = await store.grantLease(30);
      await lease.revoke();
      await expect(lease.revoke()).resolves.toBeUndefined();
    });

    it('refuses to put a key under a lease that has ended', async () => {
      const lease = await store.grantLease(30);
      await lease.revoke();
      await expect(store.commit({ puts: [{ key: '/a', value: '1', lease }] })).rejects.toMatchObject({
        code: 'LEASE_LOST',
      });
    });

    it('keeps a leased key that was put again without the lease', async () => {
      const lease = await store.grantLease(30);
      await store.commit({ puts: [{ key: '/a', value: '1', lease }] });
      await put('/a', '2');
      await lease.revoke();
      expect(await pairs(store, all)).toEqual([['/a', '2']]);
    });

    it('hints at a change by another connection', async () => {
      const { lookAgain } = watchHints(under('/7'));
      const other = service.connect();
      onTestFinished(() => other.close());
      await sleep(300); // a new watch may hint once by itself
      lookAgain.mockClear();
      await other.commit({ puts: [{ key: '/7/a', value: '1' }] });
      await vi.waitFor(() => expect(lookAgain).toHaveBeenCalled(), 5000);
    });

    it('hints when a lease takes its keys away', async () => {
      const lease = await store.grantLease(30);
      await store.commit({ puts: [{ key: '/7/a', value: '1', lease }] });
      const { lookAgain } = watchHints(under('/7'));
      await sleep(300);
      lookAgain.mockClear();
      await lease.revoke();
      await vi.waitFor(() => expect(lookAgain).toHaveBeenCalled(), 5000);
    });

    it('does not hint at changes beside the range', async () => {
      const { lookAgain } = watchHints(under('/7'));
      await sleep(300);
      lookAgain.mockClear();
      await put('/8/a', '1');
      await sleep(200);
      expect(lookAgain).not.toHaveBeenCalled();
    });

    it('misses no change that follows the call of watch, however early', async () => {
      const { lookAgain } = watchHints(under('/7'));
      await put('/7/a', '1');
      await vi.waitFor(() => expect(lookAgain).toHaveBeenCalled(), 5000);
    });

    it('is silent once a watch is closed', async () => {
      const { lookAgain, watch } = watchHints(under('/7'));
      await sleep(300);
      await watch.close();
      lookAgain.mockClear();
      await put('/7/a', '1');
      await sleep(200);
      expect(lookAgain).not.toHaveBeenCalled();
    });

    it('fails with STORE_UNREACHABLE after close', async () => {
      const other = service.connect();
      await other.read(all);
      await other.close();
      await expect(other.read(all)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    });
  });
}
