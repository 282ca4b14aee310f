import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectEtcd } from '../../src/etcd/connect-etcd.ts';
import type { Follower, Store } from '../../src/ports/store.ts';
import { startEtcd } from '../support/etcd-server.ts';
import type { EtcdServer } from '../support/etcd-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { describeStoreContract } from './store-contract.ts';

describeStoreContract('etcd', async () => {
  const etcd = await startEtcd();
  return {
    connect: () => connectEtcd({ ...etcd.identity, endpoints: [etcd.endpoint], callTimeoutMs: 2000 }),
    stop: () => etcd.stop(),
  };
});

describe('a follower of a range of etcd', () => {
  const range = { start: '/7/', end: '/70' };
  let etcd: EtcdServer;
  let writer: Store;

  beforeAll(async () => {
    etcd = await startEtcd();
    writer = connectEtcd({ ...etcd.identity, endpoints: [etcd.endpoint], callTimeoutMs: 2000 });
  });
  afterAll(async () => {
    await writer.close();
    await etcd.stop();
  });
  beforeEach(async () => {
    await writer.commit({ deletes: [{ start: '/', end: '0' }] });
  });

  const put = async (key: string, value: string) => await writer.commit({ puts: [{ key, value }] });
  const open = (lookAgain: () => void, endpoint = etcd.endpoint): { readonly follower: Follower } & AsyncDisposable => {
    const store = connectEtcd({ ...etcd.identity, endpoints: [endpoint], callTimeoutMs: 2000 });
    const follower = store.follow!(range, lookAgain);
    const close = async (): Promise<void> => {
      await follower.close();
      await store.close();
    };
    return { follower, [Symbol.asyncDispose]: close };
  };
  const told = async (follower: Follower) => {
    const { isWhole, entries } = await follower.read();
    return { isWhole, entries: entries.map(({ key, value }) => `${key}=${value}`) };
  };

  it('tells everything, then what is new, and everything again when a key is gone', async () => {
    await put('/7/a', '1');
    await put('/7/b', '1');
    const lookAgain = vi.fn();
    await using opened = open(lookAgain);
    const { follower } = opened;
    await vi.waitFor(() => expect(lookAgain).toHaveBeenCalled(), 5000);
    expect(await told(follower)).toEqual({ isWhole: true, entries: ['/7/a=1', '/7/b=1'] });
    expect(await told(follower)).toEqual({ isWhole: false, entries: [] });
    lookAgain.mockClear();
    await put('/7/b', '2');
    await put('/8/x', 'no matter');
    await vi.waitFor(() => expect(lookAgain).toHaveBeenCalled(), 5000);
    expect(await told(follower)).toEqual({ isWhole: false, entries: ['/7/b=2'] });
    lookAgain.mockClear();
    await writer.commit({ deletes: [{ start: '/7/a', end: '/7/a0' }], puts: [{ key: '/7/c', value: '1' }] });
    await vi.waitFor(() => expect(lookAgain).toHaveBeenCalled(), 5000);
    expect(await told(follower)).toEqual({ isWhole: true, entries: ['/7/b=2', '/7/c=1'] });
  });

  it('misses nothing of what it is not told of: neither a change nor a key that goes and comes', async () => {
    await put('/7/a', '1');
    await using opened = open(() => undefined);
    await told(opened.follower);
    await put('/7/b', '1');
    await writer.commit({ deletes: [{ start: '/7/a', end: '/7/a0' }] });
    await put('/7/d', '1');
    expect(await told(opened.follower)).toEqual({ isWhole: true, entries: ['/7/b=1', '/7/d=1'] });
    await writer.commit({ deletes: [{ start: '/7/b', end: '/7/b0' }] });
    await put('/7/b', '2');
    const known = new Map([
      ['/7/b', '1'],
      ['/7/d', '1'],
    ]);
    await vi.waitFor(async () => {
      for (const { key, value } of (await opened.follower.read()).entries) known.set(key, value);
      expect(known.get('/7/b')).toBe('2');
    }, 5000);
  });

  it('has the state of the store, by what it has told, while its connection is cut all the time', async () => {
    await using proxy = await startTcpProxy(etcd.port);
    await using opened = open(() => undefined, `https://127.0.0.1:${proxy.port}`);
    const cutting = setInterval(() => proxy.cut(), 120);
    const known = new Map<string, string>();
    const over = new AbortController();
    const look = async (): Promise<void> => {
      const reading = await opened.follower.read().catch(() => undefined);
      if (reading?.isWhole === true) known.clear();
      for (const { key, value } of reading?.entries ?? []) known.set(key, value);
    };
    const looking = (async () => {
      while (!over.signal.aborted) await look();
    })();
    for (let n = 0; n < 300; n += 1) {
      await put(`/7/${n % 40}`, String(n));
      if (n % 7 === 0) await writer.commit({ deletes: [{ start: `/7/${(n + 3) % 40}`, end: `/7/${(n + 3) % 40}\0` }] });
    }
    over.abort();
    await looking;
    clearInterval(cutting);
    const there = new Map((await writer.read(range)).map(({ key, value }) => [key, value]));
    await vi.waitFor(async () => {
      await look();
      expect(known).toEqual(there);
    }, 10_000);
  });
});
