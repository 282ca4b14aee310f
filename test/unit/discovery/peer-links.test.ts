import { describe, expect, it } from 'vitest';
import { PeerLinks } from '../../../src/discovery/meet/peer-links.ts';

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
