/** The lab's certificate authority and certificates for mutual TLS with etcd. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { issueCertificate, makeAuthority } from '../src/pki/certificates.ts';
import { allHosts, sharedPaths } from './layout.ts';
import type { LabLayout } from './layout.ts';

const validDays = 365;

/** File names below the lab's secrets directory. */
export const certificateFiles = {
  authority: 'ca.pem',
  certificateOf: (host: string) => `${host}.pem`,
  keyOf: (host: string) => `${host}-key.pem`,
} as const;

/** A CA and one certificate per host in the secrets directory; made once per lab and kept, complete or not at all. */
export async function ensureCertificates(layout: LabLayout): Promise<string> {
  const { secrets } = sharedPaths(layout);
  const names = allHosts(layout).map(({ name }) => name);
  const marker = `${secrets}/hosts.txt`;
  const madeFor = await readFile(marker, 'utf8').catch(() => '');
  if (madeFor === names.join('\n')) return 'kept';
  const partial = `${secrets}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true, mode: 0o700 });
  const authority = await makeAuthority(`hpc-submit-dockerjob lab ${layout.shape.name}`, validDays);
  await writeSecret(`${partial}/${certificateFiles.authority}`, authority.certificate);
  await Promise.all(
    allHosts(layout).map(async ({ name, address }) => {
      const subject = { commonName: name, dnsNames: [name, 'localhost'], addresses: [address, '127.0.0.1'] };
      const role = name === layout.head.name ? 'server' : 'host';
      const made = await issueCertificate(authority, { ...subject, role, validDays });
      await writeSecret(`${partial}/${certificateFiles.certificateOf(name)}`, made.certificate);
      await writeSecret(`${partial}/${certificateFiles.keyOf(name)}`, made.key);
    }),
  );
  await writeFile(`${partial}/munge.key`, randomBytes(1024), { mode: 0o600 });
  await writeSecret(`${partial}/hosts.txt`, names.join('\n'));
  await rm(secrets, { recursive: true, force: true });
  await rename(partial, secrets);
  return `made for ${names.length} hosts`;
}

async function writeSecret(file: string, text: string): Promise<void> {
  await writeFile(file, text, { mode: 0o600 });
  await chmod(file, 0o600);
}
