import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeKeyPair } from '../../../src/ssh/make-key-pair.ts';
import { PeerLinks, testLinks } from '../../../src/discovery/meet/peer-links.ts';

const key = `ssh-ed25519 ${'A'.repeat(68)}`;
const roster = [0, 1, 12].map((index) => ({
  index,
  hostname: `772-3-node-${index}`,
  ip: `10.128.0.${index + 1}`,
  slots: 1,
  sshPublicKey: key,
  hostPublicKey: key,
}));
const links = new PeerLinks({
  roster,
  ownIndex: 1,
  keysOf: () => Promise.resolve({ hostPublicKey: key }),
  isKnownByAddress: () => false,
  port: 2222,
  userName: 'alice',
  privateKey: '',
});

describe('findPeer', () => {
  it.each([
    ['772-3-node-12', 12],
    ['772-3-NODE-0', 0],
    ['node-12', 12],
    ['Node-1', 1],
    ['10.128.0.13', 12],
    ['localhost', 1],
    ['node-2', undefined],
    ['node-', undefined],
    ['node-012', undefined],
    ['772-node-0', undefined],
    ['', undefined],
  ])('takes %j for node %j', (name, index) => {
    expect(links.findPeer(name)?.index).toBe(index);
  });
});

describe("findPeer by the hosts' own names", () => {
  const hosts = ['c1', 'c2.site', 'c3.one', 'c3.two'];
  const named = new PeerLinks({
    ...{ ownIndex: 0, isKnownByAddress: () => false, port: 2222, userName: 'alice', privateKey: '' },
    keysOf: () => Promise.resolve({ hostPublicKey: key }),
    roster: hosts.map((host, index) => ({
      ...{ index, hostname: `9-node-${index}`, ip: `10.128.0.${index + 1}`, host },
      ...{ slots: 1, sshPublicKey: key, hostPublicKey: key },
    })),
  });
  it.each([
    ['c1', 0],
    ['C1.cluster.site', 0],
    ['c2', 1],
    ['c2.site', 1],
    ['c3.two', 3],
    // Another host's domain, or one of two, is nobody's.
    ['c2.other', undefined],
    ['c3', undefined],
    ['9-node-0.site', undefined],
  ])('takes %j for node %j', (name, index) => {
    expect(named.findPeer(name)?.index).toBe(index);
  });
});

it('tests no link any more once the part is over, though a peer does not answer', async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => void sockets.push(socket.on('error', () => undefined))).listen(
    0,
    '127.0.0.1',
  );
  await once(silent, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const { port } = silent.address() as AddressInfo;
  const keys = makeKeyPair();
  const peers = roster.map((peer) => ({ ...peer, ip: '127.0.0.1' }));
  const test = {
    roster: peers,
    ownIndex: 0,
    keysOf: () => Promise.resolve({ hostPublicKey: keys.publicKey }),
    isKnownByAddress: () => false,
    port,
    userName: 'alice',
    privateKey: keys.privateKey,
  };
  const over = new AbortController();
  const tested = testLinks(new PeerLinks(test), peers.slice(1), 20_000, over.signal);
  const failed = expect(tested).rejects.toThrow('the part is over');
  await pause(300);
  const overAt = performance.now();
  over.abort(new Error('the part is over'));
  await failed;
  expect(performance.now() - overAt).toBeLessThan(1000);
});
