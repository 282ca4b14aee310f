import { lstat, mkdir, readdir, readFile, rename, rm, open } from 'node:fs/promises';
import { JobError } from '../values/errors.ts';
import type { Credentials } from './certificates.ts';

/**
 * The directory in which an administrator keeps the authority: `ca.pem`, `ca-key.pem`, and for each host
 * `hosts/NAME/{ca.pem,host.pem,host-key.pem}`, the three files that host needs.
 */
export interface PkiDirectory {
  readonly path: string;
}

const keyMode = 0o600;
const directoryMode = 0o700;

export function authorityFile({ path }: PkiDirectory): string {
  return `${path}/ca.pem`;
}

function authorityKeyFile({ path }: PkiDirectory): string {
  return `${path}/ca-key.pem`;
}

export function hostDirectory({ path }: PkiDirectory, host: string): string {
  return `${path}/hosts/${host}`;
}

/** Names of files in a host's directory, as site.yaml's defaults want them. */
export const hostFiles = { authority: 'ca.pem', certificate: 'host.pem', key: 'host-key.pem' } as const;

/** Fails with `USAGE` when there is an authority already: its certificates would become worthless. */
export async function createPkiDirectory(directory: PkiDirectory): Promise<void> {
  await mkdir(directory.path, { recursive: true, mode: directoryMode });
  await requirePrivate(directory.path);
  if (!(await exists(authorityKeyFile(directory))) && !(await exists(authorityFile(directory)))) return;
  throw new JobError({
    code: 'USAGE',
    message: `${directory.path} holds an authority already.`,
    hint: 'Issue certificates by it: hpc-submit-dockerjob pki issue HOST. A new one needs a new --directory, and new certificates on every host.',
  });
}

/** Writes the authority; the certificate last, which shows that all is there. */
export async function writeAuthority(directory: PkiDirectory, { certificate, key }: Credentials): Promise<void> {
  await writeWhole(authorityKeyFile(directory), key, keyMode);
  await writeWhole(authorityFile(directory), certificate, 0o644);
}

/** The authority. Fails with `CONFIG_UNTRUSTED` when others could read its key, with `CONFIG_INVALID` when there is none. */
export async function readAuthority(directory: PkiDirectory): Promise<Credentials> {
  try {
    await requirePrivate(directory.path);
    await requirePrivate(authorityKeyFile(directory));
    const [certificate, key] = await Promise.all([
      readFile(authorityFile(directory), 'utf8'),
      readFile(authorityKeyFile(directory), 'utf8'),
    ]);
    return { certificate, key };
  } catch (cause) {
    if (cause instanceof JobError) throw cause;
    throw new JobError({
      code: 'CONFIG_INVALID',
      message: `${directory.path} holds no authority: ${cause instanceof Error ? cause.message : String(cause)}.`,
      hint: 'Make one: hpc-submit-dockerjob pki init. Or name its place by --directory.',
      cause,
    });
  }
}

/** The hosts that have certificates, by name. */
export async function listHosts({ path }: PkiDirectory): Promise<readonly string[]> {
  const names = await readdir(`${path}/hosts`).catch(() => []);
  return names.filter((name) => isHostName(name) && !name.endsWith(previous)).toSorted();
}

const previous = '.previous';

/**
 * Puts the files of a host in place, complete or not at all; what was there before is kept beside it as `NAME.previous`.
 * `mayReplace: false` fails with `USAGE` when the host has files.
 */
export async function writeHost(
  directory: PkiDirectory,
  host: string,
  files: Credentials & { readonly authority: string },
  { mayReplace }: { readonly mayReplace: boolean },
): Promise<string> {
  const place = hostDirectory(directory, host);
  const isThere = await exists(place);
  if (isThere && !mayReplace) {
    throw new JobError({
      code: 'USAGE',
      message: `${host} has a certificate already: ${place}.`,
      hint: `Renew it: hpc-submit-dockerjob pki renew ${host}.`,
    });
  }
  const aside = `${directory.path}/hosts/.${host}.${process.pid}`;
  await mkdir(aside, { recursive: true, mode: directoryMode });
  try {
    await writeWhole(`${aside}/${hostFiles.authority}`, files.authority, 0o644);
    await writeWhole(`${aside}/${hostFiles.certificate}`, files.certificate, 0o644);
    await writeWhole(`${aside}/${hostFiles.key}`, files.key, keyMode);
    if (isThere) {
      await rm(`${place}${previous}`, { recursive: true, force: true });
      await rename(place, `${place}${previous}`);
    }
    await rename(aside, place);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  return place;
}

/** What is wrong with the rights of a file or directory that nobody else may read; undefined when nothing is. */
export async function findOpenRights(path: string): Promise<string | undefined> {
  const { mode, uid } = await lstat(path);
  if (uid !== process.geteuid?.()) return `${path} belongs to uid ${uid}`;
  if ((mode & 0o077) !== 0) return `others can read or change ${path} (mode ${(mode & 0o777).toString(8)})`;
  return undefined;
}

async function requirePrivate(path: string): Promise<void> {
  const fault = await findOpenRights(path);
  if (fault === undefined) return;
  throw new JobError({
    code: 'CONFIG_UNTRUSTED',
    message: `${fault}.`,
    hint: 'Anyone holding the authority’s key can impersonate every host. Use a directory that only you can read: chmod -R go= DIRECTORY.',
  });
}

/** A name of a host that is safe as the name of a directory. */
export function isHostName(text: string): boolean {
  return (
    /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$/.test(text) &&
    text.length <= 253
  );
}

async function exists(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}

/** Never through a link, and on the disk before anything relies on it. */
async function writeWhole(file: string, text: string, mode: number): Promise<void> {
  const handle = await open(file, 'wx', mode);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
