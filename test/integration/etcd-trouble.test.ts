import { Etcd3 } from 'etcd3';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { connectEtcd } from '../../src/etcd/connect-etcd.ts';
import type { Store } from '../../src/ports/store.ts';
import { awaitState } from '../../src/system/await-state.ts';
import { keyOnly } from '../../src/contract/kvs-keys.ts';
import { startEtcd } from '../support/etcd-server.ts';
import type { EtcdServer } from '../support/etcd-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import { makeTestIdentity } from '../support/tls-identity.ts';

const callTimeoutMs = 600;
/** `callStore` gives up after twice the timeout and the last try. */
const mostMs = 3 * callTimeoutMs + 400;
const all = { start: '/', end: '0' };

let etcd: EtcdServer;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());
afterEach(async () => {
  const store = openStore(etcd.endpoint);
  await store.commit({ deletes: [all] });
});

const openStore = (...endpoints: string[]): Store => {
  const store = connectEtcd({ ...etcd.identity, endpoints, callTimeoutMs });
  onTestFinished(() => store.close());
  return store;
};
const openProxy = async (address?: string): Promise<TcpProxy & { endpoint: string }> => {
  const proxy = await startTcpProxy(etcd.port, address);
  onTestFinished(() => proxy.close());
  return Object.assign(proxy, { endpoint: `https://${address ?? '127.0.0.1'}:${proxy.port}` });
};
const watchHints = (store: Store) => {
  const lookAgain = vi.fn();
  const watch = store.watch(all, lookAgain);
  onTestFinished(() => watch.close());
  return lookAgain;
};
const put = (store: Store, key: string, value = '1') => store.commit({ puts: [{ key, value }] });
const timed = async (work: Promise<unknown>): Promise<{ ms: number; error: unknown }> => {
  const startedAt = Date.now();
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { ms: Date.now() - startedAt, error };
};

describe('a call', () => {
  it('goes on over a cut connection without an error', async () => {
    const proxy = await openProxy();
    const store = openStore(proxy.endpoint);
    for (let n = 0; n < 10; n++) {
      await put(store, `/${n}`);
      proxy.cut();
    }
    expect(await store.read(all)).toHaveLength(10);
  });

  it('fails with STORE_UNREACHABLE in time while nothing passes, and works when it passes again', async () => {
    const proxy = await openProxy();
    const store = openStore(proxy.endpoint);
    await put(store, '/a');
    proxy.pause();
    const { ms, error } = await timed(store.read(all));
    expect(error).toMatchObject({ code: 'STORE_UNREACHABLE' });
    expect(String(error)).toContain(`${proxy.endpoint} (no answer in time)`);
    expect(ms).toBeLessThan(mostMs);
    proxy.resume();
    expect(await store.read(all)).toHaveLength(1);
  });

  it('says who refuses the connection when etcd is killed, and works when it is back', async () => {
    const store = openStore(etcd.endpoint);
    await put(store, '/a');
    await etcd.kill();
    const { ms, error } = await timed(store.read(all));
    await etcd.start();
    expect(error).toMatchObject({ code: 'STORE_UNREACHABLE' });
    expect(String(error)).toContain(`${etcd.endpoint} (connection refused)`);
    expect(ms).toBeLessThan(mostMs);
    expect(await store.read(all)).toHaveLength(1);
  });

  it('moves to another member when one freezes, and stays there', async () => {
    const [first, second] = [await openProxy(), await openProxy()];
    const store = openStore(first.endpoint, second.endpoint);
    await put(store, '/a');
    const [frozen, alive] = first.connectionCount > 0 ? [first, second] : [second, first];
    frozen.pause();
    expect((await timed(store.read(all))).error).toBeUndefined();
    expect(alive.connectionCount).toBeGreaterThan(0);
    expect((await timed(store.read(all))).ms).toBeLessThan(callTimeoutMs);
  });

  it('reads more than the 4 MB that gRPC allows by default', async () => {
    const store = openStore(etcd.endpoint);
    for (let n = 0; n < 6; n++) await put(store, `/${n}`, 'x'.repeat(1_200_000));
    expect((await store.read(all)).map(({ value }) => value.length)).toEqual(Array(6).fill(1_200_000));
  });

  it('says so when the certificate is of another authority', async () => {
    const { ca } = await makeTestIdentity();
    const store = connectEtcd({ ...etcd.identity, ca, endpoints: [etcd.endpoint], callTimeoutMs });
    onTestFinished(() => store.close());
    const { error } = await timed(store.read(all));
    expect(error).toMatchObject({ code: 'STORE_UNREACHABLE', hint: expect.stringContaining('etcd.caFile') as string });
    expect(String(error)).toContain('its certificate is not from the configured authority');
  });

  it('says so when etcd does not take our certificate', async () => {
    const { cert, key } = await makeTestIdentity();
    const store = connectEtcd({ ...etcd.identity, cert, key, endpoints: [etcd.endpoint], callTimeoutMs });
    onTestFinished(() => store.close());
    const { error } = await timed(store.read(all));
    expect(error).toMatchObject({ code: 'STORE_UNREACHABLE' });
    expect(String(error)).toMatch(/did not accept this host's certificate|connection closed/);
  });

  it('says so when the certificate names another host', async () => {
    const proxy = await openProxy('127.0.0.2');
    const { error } = await timed(openStore(proxy.endpoint).read(all));
    expect(String(error)).toContain('its certificate is for another name');
  });

  it.each(['http://127.0.0.1:2379', '127.0.0.1:2379', 'https://', 'https://a/b', 'https://user@a:1', ''])(
    'refuses the endpoint "%s"',
    (endpoint) => {
      expect(() => openStore(endpoint)).toThrow(/etcd\.endpoints/);
    },
  );
});

describe('a watch', () => {
  it('hints after etcd was killed and came back, and at changes from then on', async () => {
    const store = openStore(etcd.endpoint);
    const lookAgain = watchHints(store);
    await sleep(300);
    await etcd.kill();
    await sleep(500);
    lookAgain.mockClear();
    await etcd.start();
    await vi.waitFor(() => expect(lookAgain).toHaveBeenCalled(), 10_000);
    lookAgain.mockClear();
    await put(store, '/a');
    await vi.waitFor(() => expect(lookAgain).toHaveBeenCalled(), 5000);
  });

  it('survives a compaction during a disconnect', async () => {
    const proxy = await openProxy();
    const [far, near] = [openStore(proxy.endpoint), openStore(etcd.endpoint)];
    const lookAgain = watchHints(far);
    await sleep(300);
    proxy.pause();
    proxy.cut();
    for (let n = 0; n < 20; n++) await put(near, '/a', `${n}`);
    await etcd.compact();
    lookAgain.mockClear();
    proxy.resume();
    proxy.cut();
    await vi.waitFor(() => expect(lookAgain).toHaveBeenCalled(), 10_000);
    await sleep(500);
    lookAgain.mockClear();
    await put(near, '/a', 'after');
    await vi.waitFor(() => expect(lookAgain).toHaveBeenCalled(), 5000);
  });

  it('notices a connection that froze and goes to another member', async () => {
    const [first, second] = [await openProxy(), await openProxy()];
    const store = openStore(first.endpoint, second.endpoint);
    const lookAgain = watchHints(store);
    await sleep(500);
    (first.connectionCount > 0 ? first : second).pause();
    await sleep(4000); // pings every 2 s, 1 s for the answer; no call helps it here
    lookAgain.mockClear();
    await put(openStore(etcd.endpoint), '/a');
    await vi.waitFor(() => expect(lookAgain).toHaveBeenCalled(), 5000);
  });

  it('lets a waiter reach its state while the connection is cut all the time', async () => {
    const proxy = await openProxy();
    const [far, near] = [openStore(proxy.endpoint), openStore(etcd.endpoint)];
    const cutting = setInterval(() => proxy.cut(), 250);
    onTestFinished(() => clearInterval(cutting));
    const count = 100;
    const reached = awaitState(far, all, (entries) => (entries.length === count ? 'complete' : undefined), {
      deadlineMs: 20_000,
      slowTimerMs: 2000,
    });
    for (let n = 0; n < count; n++) {
      await put(near, `/${n}`);
      await sleep(10);
    }
    expect(await reached).toEqual({ kind: 'reached', value: 'complete' });
  });

  it('does not hammer a store that is away', async () => {
    const proxy = await openProxy();
    const store = openStore(proxy.endpoint);
    watchHints(store);
    await sleep(300);
    await etcd.kill();
    const before = proxy.connectionCount;
    await sleep(3000);
    const made = proxy.connectionCount - before;
    await etcd.start();
    expect(made).toBeLessThan(60);
  });
});

describe('a lease', () => {
  const ttlSeconds = 3;

  it('keeps its keys far beyond its time', async () => {
    const store = openStore(etcd.endpoint);
    const lease = await store.grantLease(ttlSeconds);
    await store.commit({ puts: [{ key: '/leased', value: '1', lease }] });
    await sleep(3 * ttlSeconds * 1000);
    expect(await store.read(keyOnly('/leased'))).toHaveLength(1);
    await lease.revoke();
  });

  it('outlives an outage of the store', async () => {
    const store = openStore(etcd.endpoint);
    const lease = await store.grantLease(ttlSeconds);
    await store.commit({ puts: [{ key: '/leased', value: '1', lease }] });
    await etcd.kill();
    await sleep(3 * ttlSeconds * 1000);
    expect(lease.lost.aborted).toBe(false);
    await etcd.start();
    await sleep(2 * ttlSeconds * 1000);
    expect(lease.lost.aborted).toBe(false);
    expect(await store.read(keyOnly('/leased'))).toHaveLength(1);
    await lease.revoke();
  });

  it('is lost when the store says so after its holder was cut off, not before', async () => {
    const proxy = await openProxy();
    const store = openStore(proxy.endpoint);
    const lease = await store.grantLease(ttlSeconds);
    await store.commit({ puts: [{ key: '/leased', value: '1', lease }] });
    proxy.pause();
    const near = openStore(etcd.endpoint);
    await vi.waitFor(async () => expect(await near.read(keyOnly('/leased'))).toEqual([]), {
      timeout: 20_000,
      interval: 200,
    });
    expect(lease.lost.aborted).toBe(false);
    proxy.resume();
    await vi.waitFor(() => expect(lease.lost.aborted).toBe(true), 10_000);
    expect(lease.lost.reason).toMatchObject({ code: 'LEASE_LOST' });
  });

  it('is lost when an operator revokes it', async () => {
    const store = openStore(etcd.endpoint);
    const lease = await store.grantLease(ttlSeconds);
    const { ca, cert, key } = etcd.identity;
    const operator = new Etcd3({
      hosts: etcd.endpoint,
      credentials: { rootCertificate: ca, certChain: cert, privateKey: key },
    });
    onTestFinished(() => operator.close());
    await operator.leaseClient.leaseRevoke({ ID: lease.id });
    await vi.waitFor(() => expect(lease.lost.aborted).toBe(true), ttlSeconds * 1000);
  });

  it('ends after its time when its holder is gone', async () => {
    const holder = connectEtcd({ ...etcd.identity, endpoints: [etcd.endpoint], callTimeoutMs });
    const lease = await holder.grantLease(ttlSeconds);
    await holder.commit({ puts: [{ key: '/leased', value: '1', lease }] });
    await holder.close();
    const store = openStore(etcd.endpoint);
    await vi.waitFor(async () => expect(await store.read(all)).toEqual([]), { timeout: 10_000, interval: 200 });
    expect(lease.lost.aborted).toBe(false);
  });
});
