import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';

/** A certificate authority with one EC P-256 certificate for localhost, good for both ends; PEM. */
export interface TestIdentity {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Makes a fresh authority and a certificate for `names` (openssl's notation); needs the openssl command. */
export async function makeTestIdentity(names = 'DNS:localhost,IP:127.0.0.1'): Promise<TestIdentity> {
  const directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-tls-'));
  const openssl = (...argv: readonly string[]) => execa('openssl', argv, { cwd: directory, timeout: 10_000 });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  try {
    await writeFile(
      path.join(directory, 'extensions'),
      `subjectAltName=${names}\nextendedKeyUsage=serverAuth,clientAuth\n`,
    );
    await openssl(
      'req',
      '-x509',
      ...newKey,
      '-subj',
      '/CN=test CA',
      '-days',
      '2',
      '-keyout',
      'ca-key.pem',
      '-out',
      'ca.pem',
    );
    await openssl('req', ...newKey, '-subj', '/CN=host', '-keyout', 'key.pem', '-out', 'request.pem');
    const signer = ['-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial', '-days', '2', '-extfile', 'extensions'];
    await openssl('x509', '-req', '-in', 'request.pem', ...signer, '-out', 'cert.pem');
    const read = (name: string) => readFile(path.join(directory, name));
    return { ca: await read('ca.pem'), cert: await read('cert.pem'), key: await read('key.pem') };
  } catch (error) {
    throw new Error('These tests make certificates with openssl: apt-get install openssl', { cause: error });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
