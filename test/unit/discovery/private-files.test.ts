import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { findUserName } from '../../../src/discovery/files/find-user-name.ts';
import {
  formatHostfile,
  formatHydraHostfile,
  formatKnownHosts,
} from '../../../src/discovery/files/write-private-files.ts';

const roster = [0, 1].map((index) => ({
  index,
  hostname: `772-node-${index}`,
  ip: `10.1.0.${index + 1}`,
  slots: index + 2,
  sshPublicKey: 'ssh-ed25519 U',
  hostPublicKey: `ssh-ed25519 H${index}`,
}));

test('known hosts name every node by address and names with the port', () => {
  expect(formatKnownHosts(roster, 2222)).toBe(
    '[10.1.0.1]:2222,[772-node-0]:2222,[node-0]:2222 ssh-ed25519 H0\n[10.1.0.2]:2222,[772-node-1]:2222,[node-1]:2222 ssh-ed25519 H1\n',
  );
});

test('host files are written in both dialects', () => {
  expect(formatHostfile(roster)).toBe('772-node-0 slots=2\n772-node-1 slots=3\n');
  expect(formatHydraHostfile(roster)).toBe('772-node-0:2\n772-node-1:3\n');
});

test('the user’s name comes from the passwd file, else from USER, else from the uid', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-passwd-'));
  const file = path.join(directory, 'passwd');
  const uid = process.getuid?.() ?? 0;
  try {
    await writeFile(file, `other:x:${uid + 1}:0::/:\nann:x:${uid}:0::/:\n`);
    expect(findUserName({ USER: 'bob' }, file)).toBe('ann');
    await writeFile(file, '\n:::\n');
    expect(findUserName({ USER: 'bob' }, file)).toBe('bob');
    expect(findUserName({}, '/no/such/file')).toBe(`uid${uid}`);
  } finally {
    await rm(directory, { recursive: true });
  }
});
