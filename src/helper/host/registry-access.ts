import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import * as z from 'zod';
import type { Registry } from '../../policy/decide-fetch.ts';
import type { RegistryCredentials } from '../../ports/container-engine.ts';
import { checkUntamperable } from '../../system/check-untamperable.ts';
import { readRegularFile } from '../../system/read-regular-file.ts';
import { JobError } from '../../values/errors.ts';
import { findJsonAs } from '../../values/parse-json-as.ts';

const mostBytes = 64 * 1024;

const loginSchema = z.object({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
});

/** As `docker login` writes it; what else stands there is not ours. */
const credentialsSchema = z.object({ auths: z.record(z.string(), loginSchema) });

/**
 * As whom the site asks this registry; undefined where it names no file. Fails with `CONFIG_UNTRUSTED` for a file that others
 * than root can read or change, with `CONFIG_INVALID` for one that has no credentials for this registry. No error has a word
 * of the file.
 */
export async function readCredentials({ host, credentialsFile }: Registry): Promise<RegistryCredentials | undefined> {
  if (credentialsFile === '') return undefined;
  const path = await checkUntamperable(credentialsFile, { expected: 'file' });
  if (((await stat(path)).mode & 0o077) !== 0)
    throw new JobError({
      code: 'CONFIG_UNTRUSTED',
      message: `${credentialsFile} can be read by others than root, and holds the credentials for ${host}.`,
      hint: `chmod 0600 ${credentialsFile}`,
    });
  const text = await readRegularFile(path, { mostBytes }).catch(() => undefined);
  const found = text === undefined ? undefined : findJsonAs(credentialsSchema, text.toString());
  const login = found && findLogin(found.auths, host);
  const credentials = login && credentialsOf(login);
  if (credentials !== undefined) return credentials;
  throw new JobError({
    code: 'CONFIG_INVALID',
    message: `${credentialsFile} has no credentials for ${host} (site.yaml images.registries).`,
    hint: `Write it as docker login does, without a credentials store: {"auths": {"${host}": {"auth": "base64 of NAME:PASSWORD"}}}`,
  });
}

/** `docker login` writes an address in the place of some hosts. */
function findLogin(
  auths: z.infer<typeof credentialsSchema>['auths'],
  host: string,
): z.infer<typeof loginSchema> | undefined {
  const names = [host, `https://${host}`, ...(host === 'docker.io' ? ['https://index.docker.io/v1/'] : [])];
  const name = names.find((each) => Object.hasOwn(auths, each));
  return name === undefined ? undefined : auths[name];
}

function credentialsOf(login: z.infer<typeof loginSchema>): RegistryCredentials | undefined {
  const { auth = '', username, password, identitytoken } = login;
  if (identitytoken) return { identitytoken };
  if (username && password) return { username, password };
  const text = Buffer.from(auth, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 1 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

const engineDirectory = '/etc/docker/certs.d';
const fileName = 'hpc-submit-dockerjob.crt';

/**
 * Makes the Docker Engine of this host trust the authority that site.yaml names for this registry, and no longer trust one
 * that it named before. The Engine looks there at every fetch. Fails with `CONFIG_UNTRUSTED`, and with `CONFIG_INVALID` when the
 * certificate cannot be read.
 */
export async function provideAuthority({ host, caFile }: Registry, directory = engineDirectory): Promise<void> {
  const place = `${directory}/${host}`;
  const target = `${place}/${fileName}`;
  if (caFile === '') {
    await rm(target, { force: true });
    return;
  }
  const wanted = await readCertificate(caFile);
  if ((await readFile(target).catch(() => undefined))?.equals(wanted) === true) return;
  await mkdir(place, { recursive: true, mode: 0o755 });
  await checkUntamperable(place, { expected: 'directory' });
  // Whole or not there: another job may fetch right now.
  const aside = `${place}/.${fileName}.${process.pid}`;
  await writeFile(aside, wanted, { mode: 0o644 });
  await rename(aside, target);
}

async function readCertificate(caFile: string): Promise<Buffer> {
  const path = await checkUntamperable(caFile, { expected: 'file' });
  return await readRegularFile(path, { mostBytes: 1024 * 1024 }).catch((cause: unknown) => {
    throw new JobError({
      code: 'CONFIG_INVALID',
      message: `Cannot read ${caFile}, named in site.yaml under images.registries.`,
      cause,
    });
  });
}
