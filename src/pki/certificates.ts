import { createPrivateKey, generateKeyPair, randomBytes, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import forge from 'node-forge';
import { JobError } from '../values/errors.ts';

/** `server`: a member of etcd, which is its peers' client too. `host`: a host that runs jobs, a client and nothing else. */
export type CertificateRole = 'server' | 'host';

/** A certificate with its private key, both PEM. */
export interface Credentials {
  readonly certificate: string;
  readonly key: string;
}

/** Whom a certificate is for. */
export interface CertificateSubject {
  readonly commonName: string;
  /** Further names by which others connect to it. */
  readonly dnsNames: readonly string[];
  readonly addresses: readonly string[];
  readonly role: CertificateRole;
  readonly validDays: number;
}

const authorityKeyBits = 3072;
const hostKeyBits = 2048;
const dayMs = 86_400_000;
/** Clocks of hosts differ: a new certificate is valid a little before it was made. */
const earlierMs = 3_600_000;
const generateKeys = promisify(generateKeyPair);

/** A new authority, which may sign certificates of hosts and no further authority. */
export async function makeAuthority(commonName: string, validDays: number): Promise<Credentials> {
  const keys = await makeKeys(authorityKeyBits);
  const certificate = startCertificate(keys.publicKey, commonName, validDays);
  certificate.setIssuer(certificate.subject.attributes);
  certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: true, pathLenConstraint: 0 },
    { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true },
    { name: 'subjectKeyIdentifier' },
  ]);
  return sign(certificate, keys, keys.privateKey);
}

/** A certificate for mutual TLS, signed by the authority. Fails with `CONFIG_INVALID` when the authority's key is not its own. */
export async function issueCertificate(authority: Credentials, subject: CertificateSubject): Promise<Credentials> {
  requireMatch(authority);
  const issuer = forge.pki.certificateFromPem(authority.certificate);
  const keys = await makeKeys(hostKeyBits);
  const certificate = startCertificate(keys.publicKey, subject.commonName, subject.validDays);
  certificate.setIssuer(issuer.subject.attributes);
  certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: false },
    { name: 'keyUsage', critical: true, digitalSignature: true, keyEncipherment: true },
    { name: 'extKeyUsage', clientAuth: true, ...(subject.role === 'server' ? { serverAuth: true } : {}) },
    {
      name: 'subjectAltName',
      altNames: [
        ...subject.dnsNames.map((value) => ({ type: 2, value })),
        ...subject.addresses.map((ip) => ({ type: 7, ip })),
      ],
    },
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier: issuer.generateSubjectKeyIdentifier().getBytes() },
  ]);
  return sign(certificate, keys, privateKeyOf(authority.key));
}

/** What a certificate says of itself. */
export interface CertificateFacts {
  readonly commonName: string;
  readonly role: CertificateRole;
  readonly dnsNames: readonly string[];
  readonly addresses: readonly string[];
  readonly expiresAt: Date;
  readonly isSignedBy: (authority: string) => boolean;
  readonly fitsKey: (key: string) => boolean;
}

const serverAuthentication = '1.3.6.1.5.5.7.3.1';

/** Reads a PEM certificate. Fails with `CONFIG_INVALID`; `file` names it. */
export function readFacts(text: string, file: string): CertificateFacts {
  const certificate = parseCertificate(text, file);
  const alternative = (certificate.subjectAltName ?? '').split(', ');
  const named = (kind: string): readonly string[] =>
    alternative.filter((each) => each.startsWith(kind)).map((each) => each.slice(kind.length));
  return {
    commonName: /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? '',
    role: (certificate.keyUsage as readonly string[] | undefined)?.includes(serverAuthentication) ? 'server' : 'host',
    dnsNames: named('DNS:'),
    addresses: named('IP Address:'),
    expiresAt: new Date(certificate.validTo),
    isSignedBy: (authority) => certificate.verify(new X509Certificate(authority).publicKey),
    fitsKey: (key) => certificate.checkPrivateKey(createPrivateKey(key)),
  };
}

function parseCertificate(text: string, file: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (cause) {
    throw new JobError({
      code: 'CONFIG_INVALID',
      message: `${file} is no readable certificate.`,
      hint: 'Issue it again: hpc-submit-dockerjob pki issue --help.',
      cause,
    });
  }
}

function requireMatch({ certificate, key }: Credentials): void {
  try {
    if (new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) return;
  } catch {
    // Told below: the library's words could quote the key.
  }
  throw new JobError({
    code: 'CONFIG_INVALID',
    message: "The authority's key is not readable or does not belong to its certificate.",
    hint: 'Restore ca.pem and ca-key.pem from the same backup, or make a new authority: hpc-submit-dockerjob pki init --help.',
  });
}

function startCertificate(
  publicKey: forge.pki.rsa.PublicKey,
  commonName: string,
  validDays: number,
): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = publicKey;
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`;
  certificate.validity.notBefore = new Date(Date.now() - earlierMs);
  certificate.validity.notAfter = new Date(Date.now() + validDays * dayMs);
  certificate.setSubject([{ name: 'commonName', value: commonName }]);
  return certificate;
}

function sign(
  certificate: forge.pki.Certificate,
  keys: forge.pki.rsa.KeyPair,
  signer: forge.pki.rsa.PrivateKey,
): Credentials {
  certificate.sign(signer, forge.md.sha256.create());
  return { certificate: forge.pki.certificateToPem(certificate), key: forge.pki.privateKeyToPem(keys.privateKey) };
}

/** Any notation of an RSA key that Node reads; forge itself knows the old one alone. */
function privateKeyOf(key: string): forge.pki.rsa.PrivateKey {
  return forge.pki.privateKeyFromPem(createPrivateKey(key).export({ type: 'pkcs1', format: 'pem' }).toString());
}

/** Node makes the keys ten times as fast as forge; forge only signs, and it knows RSA alone. */
async function makeKeys(modulusLength: number): Promise<forge.pki.rsa.KeyPair> {
  const { publicKey, privateKey } = await generateKeys('rsa', {
    modulusLength,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  return { publicKey: forge.pki.publicKeyFromPem(publicKey), privateKey: forge.pki.privateKeyFromPem(privateKey) };
}
