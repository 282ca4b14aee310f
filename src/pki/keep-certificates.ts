import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { asClause, JobError } from '../values/errors.ts';
import type { CertificateRole, CertificateSubject, Credentials } from './certificates.ts';
import { issueCertificate, makeAuthority, readFacts } from './certificates.ts';
import type { PkiDirectory } from './pki-directory.ts';
import {
  authorityFile,
  createPkiDirectory,
  findOpenRights,
  hostDirectory,
  hostFiles,
  isHostName,
  listHosts,
  readAuthority,
  writeAuthority,
  writeHost,
} from './pki-directory.ts';

const dayMs = 86_400_000;

/** Makes an authority in a directory that has none; resolves to the path of its certificate. */
export async function initAuthority(directory: PkiDirectory, name: string, validDays: number): Promise<string> {
  if (name === '' || name.length > 64) throw usage('The name of an authority has 1 to 64 characters.');
  await createPkiDirectory(directory);
  await writeAuthority(directory, await makeAuthority(name, validDays));
  return authorityFile(directory);
}

/** Whom to issue a certificate for, as an administrator writes it. */
export interface HostRequest extends Omit<CertificateSubject, 'commonName'> {
  readonly host: string;
}

/** Issues a host's first certificate; resolves to the directory with its three files. Fails with `USAGE` for a name or address that is none. */
export async function issueForHost(directory: PkiDirectory, request: HostRequest): Promise<string> {
  const { host, dnsNames, addresses } = request;
  const wrongName = [host, ...dnsNames].find((name) => !isHostName(name) || isIP(name) !== 0);
  if (wrongName !== undefined) throw usage(`"${wrongName.slice(0, 80)}" is no name of a host.`);
  const wrongAddress = addresses.find((address) => isIP(address) === 0);
  if (wrongAddress !== undefined) throw usage(`"${wrongAddress.slice(0, 80)}" is no IP address.`);
  return await issue(directory, await readAuthority(directory), request, { mayReplace: false });
}

async function issue(
  directory: PkiDirectory,
  authority: Credentials,
  { host, role, dnsNames, addresses, validDays }: HostRequest,
  how: { readonly mayReplace: boolean },
): Promise<string> {
  // etcdctl on the member itself asks for localhost.
  const own =
    role === 'server' ? { dnsNames: ['localhost'], addresses: ['127.0.0.1'] } : { dnsNames: [], addresses: [] };
  const made = await issueCertificate(authority, {
    commonName: host,
    dnsNames: [...new Set([host, ...dnsNames, ...own.dnsNames])],
    addresses: [...new Set([...addresses, ...own.addresses])],
    role,
    validDays,
  });
  return await writeHost(directory, host, { ...made, authority: authority.certificate }, how);
}

/** One host's certificate, or the authority's, as it is now. */
export interface CertificateState {
  /** `authority` or the host's name. */
  readonly name: string;
  readonly role: CertificateRole | 'authority';
  readonly names: readonly string[];
  /** ISO 8601; undefined when the certificate cannot be read. */
  readonly expiresAt: string | undefined;
  readonly daysLeft: number | undefined;
  readonly faults: readonly string[];
}

/** Looks at every certificate of the directory: expiry, key, signature, rights of the files. */
export async function checkCertificates(
  directory: PkiDirectory,
  now: number = Date.now(),
): Promise<readonly CertificateState[]> {
  const authority = await readAuthority(directory);
  const states = [checkAuthority(directory, authority, now)];
  for (const host of await listHosts(directory))
    states.push(await checkHost(directory, authority.certificate, host, now));
  return states;
}

function checkAuthority(directory: PkiDirectory, { certificate, key }: Credentials, now: number): CertificateState {
  const facts = readFacts(certificate, authorityFile(directory));
  const daysLeft = daysUntil(facts.expiresAt, now);
  const faults = [
    ...(fits(facts.fitsKey, key) ? [] : ['does not belong to ca-key.pem']),
    ...(daysLeft < 0 ? ['has expired'] : []),
  ];
  return {
    name: 'authority',
    role: 'authority',
    names: [facts.commonName],
    expiresAt: facts.expiresAt.toISOString(),
    daysLeft,
    faults,
  };
}

async function checkHost(
  directory: PkiDirectory,
  authority: string,
  host: string,
  now: number,
): Promise<CertificateState> {
  const place = hostDirectory(directory, host);
  try {
    const [text, key, known] = await Promise.all(
      [hostFiles.certificate, hostFiles.key, hostFiles.authority].map(
        async (name) => await readFile(`${place}/${name}`, 'utf8'),
      ),
    );
    const facts = readFacts(text ?? '', `${place}/${hostFiles.certificate}`);
    const daysLeft = daysUntil(facts.expiresAt, now);
    const rights = await findOpenRights(`${place}/${hostFiles.key}`);
    const faults = [
      ...(rights === undefined ? [] : [rights]),
      ...(fits(facts.fitsKey, key ?? '') ? [] : [`does not belong to ${hostFiles.key}`]),
      ...(facts.isSignedBy(authority) ? [] : ['was not signed by this authority']),
      ...(known === authority ? [] : [`${hostFiles.authority} is not this authority's`]),
      ...(daysLeft < 0 ? ['has expired'] : []),
    ];
    const names = [...facts.dnsNames, ...facts.addresses];
    return { name: host, role: facts.role, names, expiresAt: facts.expiresAt.toISOString(), daysLeft, faults };
  } catch (error) {
    return {
      name: host,
      role: 'host',
      names: [],
      expiresAt: undefined,
      daysLeft: undefined,
      faults: [asClause(error)],
    };
  }
}

/**
 * Issues new certificates and keys for the hosts that are named, else for those that expire within so many days; names and
 * roles stay. Resolves to the hosts with their directories. Fails with `USAGE` for a host that has none.
 */
export async function renewCertificates(
  directory: PkiDirectory,
  {
    hosts,
    withinDays,
    validDays,
  }: { readonly hosts: readonly string[]; readonly withinDays: number; readonly validDays: number },
): Promise<readonly { readonly host: string; readonly place: string }[]> {
  const authority = await readAuthority(directory);
  const known = await listHosts(directory);
  const unknown = hosts.find((host) => !known.includes(host));
  if (unknown !== undefined) throw usage(`${unknown.slice(0, 80)} has no certificate in ${directory.path}.`);
  const renewed = [];
  for (const host of hosts.length > 0 ? hosts : known) {
    const file = `${hostDirectory(directory, host)}/${hostFiles.certificate}`;
    const facts = readFacts(await readFile(file, 'utf8'), file);
    if (hosts.length === 0 && daysUntil(facts.expiresAt, Date.now()) >= withinDays) continue;
    const { role, dnsNames, addresses } = facts;
    const place = await issue(
      directory,
      authority,
      { host, role, dnsNames, addresses, validDays },
      { mayReplace: true },
    );
    renewed.push({ host, place });
  }
  return renewed;
}

function fits(fitsKey: (key: string) => boolean, key: string): boolean {
  try {
    return fitsKey(key);
  } catch {
    return false;
  }
}

function daysUntil(end: Date, now: number): number {
  return Math.floor((end.getTime() - now) / dayMs);
}

function usage(message: string): JobError {
  return new JobError({ code: 'USAGE', message, hint: 'hpc-submit-dockerjob pki --help' });
}
