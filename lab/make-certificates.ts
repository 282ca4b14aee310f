/** The lab's certificate authority and certificates for mutual TLS with etcd. */
import forge from 'node-forge';
import { generateKeyPair, randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { allHosts, sharedPaths } from './layout.ts';
import type { LabLayout } from './layout.ts';

const keyBits = 2048;
const validDays = 365;
const generateKeys = promisify(generateKeyPair);

/** A certificate with its private key, both PEM. */
export interface Credentials {
  readonly certificate: string;
  readonly key: string;
}

interface Authority {
  readonly certificate: forge.pki.Certificate;
  readonly key: forge.pki.rsa.PrivateKey;
}

interface Subject {
  readonly commonName: string;
  readonly dnsNames: readonly string[];
  readonly addresses: readonly string[];
}

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
  const authority = await makeAuthority(layout.shape.name);
  await writeSecret(`${partial}/${certificateFiles.authority}`, forge.pki.certificateToPem(authority.certificate));
  await Promise.all(
    allHosts(layout).map(async ({ name, address }) => {
      const made = await issueCertificate(authority, {
        commonName: name,
        dnsNames: [name, 'localhost'],
        addresses: [address, '127.0.0.1'],
      });
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

async function makeAuthority(lab: string): Promise<Authority> {
  const keys = await makeRsaKeys();
  const certificate = startCertificate(keys.publicKey, `hpc-submit-dockerjob lab ${lab}`);
  certificate.setIssuer(certificate.subject.attributes);
  certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: true },
    { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true },
    { name: 'subjectKeyIdentifier' },
  ]);
  certificate.sign(keys.privateKey, forge.md.sha256.create());
  return { certificate, key: keys.privateKey };
}

/** A certificate good for both ends of a TLS connection: etcd's members are each other's clients. */
async function issueCertificate(authority: Authority, subject: Subject): Promise<Credentials> {
  const keys = await makeRsaKeys();
  const certificate = startCertificate(keys.publicKey, subject.commonName);
  certificate.setIssuer(authority.certificate.subject.attributes);
  const altNames = [
    ...subject.dnsNames.map((value) => ({ type: 2, value })),
    ...subject.addresses.map((ip) => ({ type: 7, ip })),
  ];
  certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: false },
    { name: 'keyUsage', critical: true, digitalSignature: true, keyEncipherment: true },
    { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
    { name: 'subjectAltName', altNames },
  ]);
  certificate.sign(authority.key, forge.md.sha256.create());
  return { certificate: forge.pki.certificateToPem(certificate), key: forge.pki.privateKeyToPem(keys.privateKey) };
}

function startCertificate(publicKey: forge.pki.rsa.PublicKey, commonName: string): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = publicKey;
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`;
  certificate.validity.notBefore = new Date(Date.now() - 3_600_000);
  certificate.validity.notAfter = new Date(Date.now() + validDays * 86_400_000);
  certificate.setSubject([{ name: 'commonName', value: commonName }]);
  return certificate;
}

/** Node makes the keys ten times as fast as forge; forge only signs, and it knows RSA alone. */
async function makeRsaKeys(): Promise<forge.pki.rsa.KeyPair> {
  const { publicKey, privateKey } = await generateKeys('rsa', {
    modulusLength: keyBits,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  return { publicKey: forge.pki.publicKeyFromPem(publicKey), privateKey: forge.pki.privateKeyFromPem(privateKey) };
}
