import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { connectLocalStore } from '../../../src/local-store/connect-local-store.ts';
import { createMemoryStore } from '../../../src/local-store/memory-store.ts';
import { serveStore } from '../../../src/local-store/serve-store.ts';
import type { Store } from '../../../src/ports/store.ts';

const all = { start: '/', end: '0' };
let directory: string;
let socketPath: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-local-'));
  socketPath = path.join(directory, 'store.sock');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const serve = async (store: Store = createMemoryStore()) => {
  const server = await serveStore(store, socketPath);
  onTestFinished(() => server.close());
  return server;
};
const open = (options = {}): Store => {
  const store = connectLocalStore(socketPath, options);
  onTestFinished(() => store.close());
  return store;
};

describe('the store on a socket', () => {
  it('is for its user alone', async () => {
    await serve();
    expect((await stat(socketPath)).mode & 0o777).toBe(0o600);
  });

  it('is not served in a directory that others may enter', async () => {
    await chmod(directory, 0o755);
    await expect(serve()).rejects.toMatchObject({ code: 'CONFIG_UNTRUSTED' });
  });

  it('takes over the socket of a dead server', async () => {
    await writeFile(socketPath, '');
    await serve();
    expect(await open().read(all)).toEqual([]);
  });

  it('refuses to take over from a live server', async () => {
    await serve();
    await expect(serve()).rejects.toMatchObject({ code: 'JOB_BUSY' });
  });

  it.each(['at a free path', 'at the path of a dead server'])(
    'is served by exactly one of many at once %s',
    async (where) => {
      if (where !== 'at a free path') await writeFile(socketPath, '');
      const calls = await Promise.allSettled(Array.from({ length: 20 }, async () => await serve()));
      const refused = calls.flatMap((call) => (call.status === 'rejected' ? [call.reason as unknown] : []));
      expect(refused).toEqual(Array(19).fill(expect.objectContaining({ code: 'JOB_BUSY' })));
      expect(await open().read(all)).toEqual([]);
      expect(await readdir(directory)).toEqual(['store.sock']);
    },
  );

  it('leaves nothing beside its path, and nothing at it that is not its own', async () => {
    const server = await serve();
    await rm(socketPath);
    await writeFile(socketPath, 'another’s');
    await server.close();
    expect(await readdir(directory)).toEqual(['store.sock']);
    await rm(socketPath);
    await (await serve()).close();
    expect(await readdir(directory)).toEqual([]);
  });

  it('ends the leases of a client that has gone', async () => {
    const store = createMemoryStore();
    await serve(store);
    const client = connectLocalStore(socketPath);
    const lease = await client.grantLease(30);
    await client.commit({ puts: [{ key: '/leased', value: '1', lease }] });
    await client.close();
    await vi.waitFor(async () => expect(await store.read(all)).toEqual([]));
    expect(lease.lost.aborted).toBe(false);
  });

  it('tells the holder when its lease is lost', async () => {
    const store = createMemoryStore();
    await serve(store);
    const lease = await open().grantLease(30);
    store.expireLease(lease.id);
    await vi.waitFor(() => expect(lease.lost.aborted).toBe(true));
    expect(lease.lost.reason).toMatchObject({ code: 'LEASE_LOST' });
  });

  it.each(['no json\n', '{"id":1,"call":"drop"}\n', '{"id":1,"call":"read"}\n', '[]\n'])(
    'closes the connection that says %j',
    async (line) => {
      await serve();
      const socket = connect(socketPath);
      const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
      socket.write(line);
      await closed;
      expect(await open().read(all)).toEqual([]);
    },
  );
});

describe('a client', () => {
  it('fails with STORE_UNREACHABLE when nobody serves', async () => {
    await expect(open().read(all)).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringContaining('nobody serves it') as string,
    });
  });

  it('fails with STORE_UNREACHABLE when the server does not answer in time', async () => {
    await serve({ ...createMemoryStore(), read: () => new Promise(() => undefined) });
    await expect(open({ callTimeoutMs: 50 }).read(all)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
  });

  it('is told by a hint and a lost lease that the server has gone, and fails open calls', async () => {
    const server = await serve({ ...createMemoryStore(), read: () => new Promise(() => undefined) });
    const client = open({ callTimeoutMs: 10_000 });
    const lease = await client.grantLease(30);
    const lookAgain = vi.fn();
    client.watch(all, lookAgain);
    const reading = expect(client.read(all)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    await sleep(50);
    lookAgain.mockClear();
    await server.close();
    await reading;
    expect(lookAgain).toHaveBeenCalled();
    expect(lease.lost.aborted).toBe(true);
  });

  it('watches again when the store is served again', async () => {
    const store = createMemoryStore();
    const server = await serve(store);
    const client = open();
    const lookAgain = vi.fn();
    client.watch(all, lookAgain);
    await sleep(50);
    await server.close();
    lookAgain.mockClear();
    await serve(store);
    await vi.waitFor(() => expect(lookAgain).toHaveBeenCalled(), 4000);
    lookAgain.mockClear();
    await store.commit({ puts: [{ key: '/a', value: '1' }] });
    await vi.waitFor(() => expect(lookAgain).toHaveBeenCalled(), 4000);
  });
});
