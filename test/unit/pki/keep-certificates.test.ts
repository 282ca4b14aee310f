import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  checkCertificates,
  initAuthority,
  issueForHost,
  renewCertificates,
} from '../../../src/pki/keep-certificates.ts';
import { isHostName } from '../../../src/pki/pki-directory.ts';

const usual = { role: 'host', dnsNames: [], addresses: [], validDays: 100 } as const;
/** Keys take their time on a busy machine. */
const slow = { timeout: 30_000 };
let directory: { readonly path: string };

beforeAll(async () => {
  directory = { path: await mkdtemp(path.join(tmpdir(), 'hpcdj-pki-')) };
  await initAuthority(directory, 'test', 1000);
  await issueForHost(directory, { ...usual, host: 'etcd1', role: 'server', addresses: ['10.1.0.12'] });
  await issueForHost(directory, { ...usual, host: 'c1.example' });
  await issueForHost(directory, { ...usual, host: 'old', validDays: 20 });
}, 60_000);

afterAll(async () => await rm(directory.path, { recursive: true }));

const filesOf = async (host: string): Promise<{ readonly ca: string; readonly cert: string; readonly key: string }> => {
  const read = async (name: string): Promise<string> =>
    await readFile(`${directory.path}/hosts/${host}/${name}`, 'utf8');
  return { ca: await read('ca.pem'), cert: await read('host.pem'), key: await read('host-key.pem') };
};

/** Whether `client` and `server` take each other's certificates; the server's name is the one that is asked for. */
async function shakeHands(server: string, client: string, servername: string): Promise<string> {
  const listener = tls.createServer({ ...(await filesOf(server)), requestCert: true, rejectUnauthorized: true });
  listener.on('tlsClientError', () => undefined);
  listener.on('secureConnection', (socket) => socket.end('hello'));
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  const { port } = listener.address() as AddressInfo;
  const socket = tls.connect({ port, host: '127.0.0.1', servername, ...(await filesOf(client)) });
  try {
    const [data] = (await once(socket, 'data')) as [Buffer];
    return data.toString();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    socket.destroy();
    listener.close();
  }
}

describe('certificates for etcd', () => {
  it('serve a host at a member of etcd, by its name', async () => {
    expect(await shakeHands('etcd1', 'c1.example', 'etcd1')).toBe('hello');
    expect(await shakeHands('etcd1', 'etcd1', 'localhost')).toBe('hello');
  });

  it('are good for no other name', async () => {
    expect(await shakeHands('etcd1', 'c1.example', 'etcd2')).toMatch(/does not match/);
  });

  it('let no host that runs jobs pose as a member of etcd', async () => {
    expect(await shakeHands('c1.example', 'etcd1', 'c1.example')).toMatch(/purpose/);
  });

  it('keep their keys to the owner', async () => {
    const modes = await Promise.all(
      ['ca-key.pem', 'hosts/etcd1/host-key.pem'].map(async (name) => (await stat(`${directory.path}/${name}`)).mode),
    );
    expect(modes.map((mode) => mode & 0o777)).toEqual([0o600, 0o600]);
  });
});

describe('the state of the certificates', slow, () => {
  it('names role, names and expiry of each', async () => {
    const states = await checkCertificates(directory);
    expect(states.map(({ name, role, names, daysLeft, faults }) => [name, role, names, daysLeft, faults])).toEqual([
      ['authority', 'authority', ['test'], 999, []],
      ['c1.example', 'host', ['c1.example'], 99, []],
      ['etcd1', 'server', ['etcd1', 'localhost', '10.1.0.12', '127.0.0.1'], 99, []],
      ['old', 'host', ['old'], 19, []],
    ]);
  });

  it('names one that has expired, a key that others can read and one of another authority', async () => {
    await issueForHost(directory, { ...usual, host: 'odd' });
    const other = { path: await mkdtemp(path.join(tmpdir(), 'hpcdj-pki-')) };
    await initAuthority(other, 'other', 10);
    await issueForHost(other, { ...usual, host: 'odd' });
    const foreign = await readFile(`${other.path}/hosts/odd/host.pem`);
    await writeFile(`${directory.path}/hosts/odd/host.pem`, foreign);
    await chmod(`${directory.path}/hosts/odd/host-key.pem`, 0o640);
    const states = await checkCertificates(directory, Date.now() + 101 * 86_400_000);
    expect(states.find(({ name }) => name === 'odd')?.faults).toEqual([
      expect.stringMatching(/others can read/),
      'does not belong to host-key.pem',
      'was not signed by this authority',
      'has expired',
    ]);
    await rm(other.path, { recursive: true });
    await rm(`${directory.path}/hosts/odd`, { recursive: true });
  });

  it('tells of a host whose files cannot be read', async () => {
    await issueForHost(directory, { ...usual, host: 'torn' });
    await writeFile(`${directory.path}/hosts/torn/host.pem`, 'nothing');
    expect((await checkCertificates(directory)).find(({ name }) => name === 'torn')?.faults).toEqual([
      expect.stringMatching(/no readable certificate/),
    ]);
    await rm(`${directory.path}/hosts/torn`, { recursive: true });
  });
});

describe('renewing', slow, () => {
  it('takes those that expire soon, keeps names and role, and keeps the old files beside', async () => {
    const before = await filesOf('old');
    const renewed = await renewCertificates(directory, { hosts: [], withinDays: 30, validDays: 300 });
    expect(renewed.map(({ host }) => host)).toEqual(['old']);
    const after = await filesOf('old');
    expect(after.key).not.toBe(before.key);
    expect(await readFile(`${directory.path}/hosts/old.previous/host-key.pem`, 'utf8')).toBe(before.key);
    expect((await checkCertificates(directory)).find(({ name }) => name === 'old')).toMatchObject({
      ...{ daysLeft: 299, names: ['old'], role: 'host', faults: [] },
    });
    expect((await readdir(`${directory.path}/hosts`)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('refuses a host that has none', async () => {
    await expect(renewCertificates(directory, { hosts: ['nobody'], withinDays: 1, validDays: 1 })).rejects.toThrow(
      /nobody has no certificate/,
    );
  });
});

describe('an authority', slow, () => {
  it('is never replaced, and no host gets a second certificate by mistake', async () => {
    await expect(initAuthority(directory, 'again', 1)).rejects.toThrow(/holds an authority already/);
    await expect(issueForHost(directory, { ...usual, host: 'etcd1' })).rejects.toThrow(/has a certificate already/);
  });

  it('is not used where others could read its key, nor through a link', async () => {
    await chmod(`${directory.path}/ca-key.pem`, 0o644);
    await expect(issueForHost(directory, { ...usual, host: 'c2' })).rejects.toThrow(/others can read or change/);
    await chmod(`${directory.path}/ca-key.pem`, 0o600);
    const link = `${directory.path}-link`;
    await symlink(directory.path, link);
    await expect(issueForHost({ path: link }, { ...usual, host: 'c2' })).rejects.toThrow(/others can read or change/);
    await rm(link);
  });

  it.each(['', '..', '.', 'a/b', '-x', 'a_b', 'a..b', 'a b', 'ä', 'x'.repeat(254), '.hidden', 'a.'])(
    'takes %j for no name of a host',
    (name) => {
      expect(isHostName(name)).toBe(false);
    },
  );

  it('refuses names and addresses that are none', async () => {
    await expect(issueForHost(directory, { ...usual, host: '10.1.0.1' })).rejects.toThrow(/no name of a host/);
    await expect(issueForHost(directory, { ...usual, host: 'c3', dnsNames: ['*'] })).rejects.toThrow(/no name/);
    await expect(issueForHost(directory, { ...usual, host: 'c3', addresses: ['c3'] })).rejects.toThrow(/no IP/);
  });
});
