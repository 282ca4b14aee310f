import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Etcd3 } from 'etcd3';
import { connectEtcd } from '../../src/etcd/connect-etcd.ts';
import { findFreePort } from '../../lab/free-port.ts';
import { makeTestIdentity } from './tls-identity.ts';
import type { TestIdentity } from './tls-identity.ts';

/** A real etcd with one member on the loopback address, mutual TLS demanded. */
export interface EtcdServer extends AsyncDisposable {
  readonly port: number;
  readonly endpoint: string;
  readonly identity: TestIdentity;
  /** KILL: as if the host had lost its power. */
  kill(): Promise<void>;
  /** Starts it again on the same port with the same data. */
  start(): Promise<void>;
  /** STOP and CONT: a member that is frozen with its connections open. */
  freeze(): void;
  thaw(): void;
  /** Forgets all history up to now, as operators do. */
  compact(): Promise<void>;
  /** As operators do when it is full: forgets all history, gives the room back, takes the alarm away. */
  makeRoom(): Promise<void>;
  /** Ends it and removes its data. Repeat-safe. */
  stop(): Promise<void>;
}

/** Starts an etcd and waits until it serves; needs the `etcd` command. `quotaBytes`: after which it refuses writes. */
export async function startEtcd({ quotaBytes }: { readonly quotaBytes?: number } = {}): Promise<EtcdServer> {
  const directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-etcd-'));
  const identity = await makeTestIdentity();
  for (const name of ['ca', 'cert', 'key'] as const)
    await writeFile(path.join(directory, `${name}.pem`), identity[name], { mode: 0o600 });
  const [port, peerPort] = [await findFreePort(), await findFreePort()];
  const endpoint = `https://127.0.0.1:${port}`;
  let member: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    member = launch(directory, endpoint, peerPort, quotaBytes);
    await awaitServing(member, endpoint, identity);
  };
  const kill = async (): Promise<void> => {
    if (member?.exitCode !== null || member.signalCode !== null) return;
    const ended = once(member, 'exit');
    member.kill('SIGKILL');
    await ended;
  };
  const stop = async (): Promise<void> => {
    await kill();
    await rm(directory, { recursive: true, force: true });
  };
  const server: EtcdServer = {
    port,
    endpoint,
    identity,
    kill,
    start,
    freeze: () => void member?.kill('SIGSTOP'),
    thaw: () => void member?.kill('SIGCONT'),
    compact: () => compactHistory(endpoint, identity),
    makeRoom: () => makeRoom(endpoint, identity),
    stop,
    [Symbol.asyncDispose]: stop,
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return server;
}

function launch(directory: string, endpoint: string, peerPort: number, quotaBytes?: number): ChildProcess {
  const file = (name: string): string => path.join(directory, name);
  const peer = `http://127.0.0.1:${peerPort}`;
  const flags = [
    ['--data-dir', file('data')],
    ['--listen-client-urls', endpoint],
    ['--advertise-client-urls', endpoint],
    ['--listen-peer-urls', peer],
    ['--initial-advertise-peer-urls', peer],
    ['--initial-cluster', `default=${peer}`],
    ['--cert-file', file('cert.pem')],
    ['--key-file', file('key.pem')],
    ['--trusted-ca-file', file('ca.pem')],
    ['--client-cert-auth'],
    ['--logger', 'zap'],
    ['--log-level', 'error'],
    quotaBytes === undefined ? [] : ['--quota-backend-bytes', String(quotaBytes)],
  ].flat();
  // Dies with the test process, also when that is killed.
  return spawn('setpriv', ['--pdeathsig', 'KILL', 'etcd', ...flags], { stdio: ['ignore', 'ignore', 'inherit'] });
}

async function awaitServing(member: ChildProcess, endpoint: string, identity: TestIdentity): Promise<void> {
  let failure: unknown;
  member.once('error', (error) => (failure = error));
  const deadline = Date.now() + 20_000;
  const store = connectEtcd({ ...identity, endpoints: [endpoint], callTimeoutMs: 500 });
  try {
    while (Date.now() < deadline && member.exitCode === null && failure === undefined) {
      try {
        await store.read({ start: '/', end: '0' });
        return;
      } catch (error) {
        await sleep(50);
        if (Date.now() > deadline) throw error;
      }
    }
  } finally {
    await store.close();
  }
  throw new Error('These tests need etcd: apt-get install etcd-server. It did not come up.', { cause: failure });
}

async function compactHistory(endpoint: string, { ca, cert, key }: TestIdentity): Promise<void> {
  const client = new Etcd3({ hosts: endpoint, credentials: { rootCertificate: ca, certChain: cert, privateKey: key } });
  try {
    const { header } = await client.kv.put({ key: Buffer.from('/compacted'), value: Buffer.from('here') });
    await client.kv.compact({ revision: header.revision, physical: true });
  } finally {
    client.close();
  }
}

async function makeRoom(endpoint: string, { ca, cert, key }: TestIdentity): Promise<void> {
  const client = new Etcd3({ hosts: endpoint, credentials: { rootCertificate: ca, certChain: cert, privateKey: key } });
  try {
    const { header } = await client.kv.range({ key: Buffer.from('/') });
    await client.kv.compact({ revision: header.revision, physical: true });
    await client.maintenance.defragment();
    const { alarms } = await client.maintenance.alarm({ action: 'Get' });
    for (const { memberID } of alarms)
      await client.maintenance.alarm({ action: 'Deactivate', memberID, alarm: 'Nospace' });
  } finally {
    client.close();
  }
}
