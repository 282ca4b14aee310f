import { chmod, chown, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { provideAuthority, readCredentials } from '../../../src/helper/host/registry-access.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(homedir(), 'untamperable-'));
});
afterEach(async () => await rm(root, { recursive: true, force: true }));

const registry = (host = 'r.example:5000') => ({
  host,
  caFile: '',
  credentialsFile: join(root, 'login.json'),
});
const write = async (text: string, mode = 0o600): Promise<void> => {
  await writeFile(join(root, 'login.json'), text);
  await chmod(join(root, 'login.json'), mode);
};
const login = (host: string, words = 'site:s3cret:with:colons') =>
  JSON.stringify({ auths: { [host]: { auth: Buffer.from(words).toString('base64') } } });

describe('the credentials for a registry', () => {
  it('are none where the site names no file', async () => {
    expect(await readCredentials({ ...registry(), credentialsFile: '' })).toBeUndefined();
  });

  it.each([
    ['r.example:5000', 'r.example:5000'],
    ['r.example:5000', 'https://r.example:5000'],
    ['docker.io', 'https://index.docker.io/v1/'],
  ])('for %s are those that docker login writes for %s', async (host, name) => {
    await write(login(name));
    expect(await readCredentials(registry(host))).toEqual({ username: 'site', password: 's3cret:with:colons' });
  });

  it('are never those for another registry', async () => {
    await write(login('other.example'));
    await expect(readCredentials(registry())).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await write(login('r.example:5000'));
    await expect(readCredentials(registry('constructor'))).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it.each([
    ['that its group can read', async () => await chmod(join(root, 'login.json'), 0o640), 'can be read by others'],
    ['that everybody can read', async () => await chmod(join(root, 'login.json'), 0o604), 'can be read by others'],
    ['of a user', async () => await chown(join(root, 'login.json'), 2001, 0), 'is owned by uid 2001'],
    ['that a user can replace', async () => await chmod(root, 0o777), 'may be written to by'],
  ])('are not taken out of a file %s', async (_, spoil, words) => {
    await write(login('r.example:5000'));
    await spoil();
    await expect(readCredentials(registry())).rejects.toMatchObject({
      code: 'CONFIG_UNTRUSTED',
      message: expect.stringContaining(words) as string,
    });
  });

  it.each([
    ['no JSON', 'site:s3cret'],
    ['no name', login('r.example:5000', ':s3cret')],
    ['a store of credentials', '{"credsStore":"s3cret","auths":{"r.example:5000":{}}}'],
    ['other types', '{"auths":{"r.example:5000":{"auth":["s3cret"]}}}'],
  ])('are told to be wrong without a word of them: %s', async (_, text) => {
    await write(text);
    const error: unknown = await readCredentials(registry()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    expect((error as Error).cause).toBeUndefined();
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('s3cret');
  });
});

describe('the authority of a registry', () => {
  const caFile = () => join(root, 'ca.pem');
  const directory = () => join(root, 'certs.d');
  const place = () => join(directory(), 'r.example:5000');

  it('is given to the engine, changed and taken away as site.yaml says', async () => {
    const own = { ...registry(), caFile: caFile() };
    await writeFile(caFile(), 'one');
    await provideAuthority(own, directory());
    expect(await readFile(join(place(), 'hpc-submit-dockerjob.crt'), 'utf8')).toBe('one');
    await writeFile(join(place(), 'ca.crt'), 'the administrators’ own');
    await writeFile(caFile(), 'two');
    await provideAuthority(own, directory());
    await provideAuthority(own, directory());
    expect(await readFile(join(place(), 'hpc-submit-dockerjob.crt'), 'utf8')).toBe('two');
    await provideAuthority(registry(), directory());
    expect(await readdir(place())).toEqual(['ca.crt']);
    await provideAuthority(registry('never.seen'), directory());
  });

  it('is not taken from where users can write, nor given where they can', async () => {
    await writeFile(caFile(), 'one');
    await chmod(caFile(), 0o666);
    await expect(provideAuthority({ ...registry(), caFile: caFile() }, directory())).rejects.toMatchObject({
      code: 'CONFIG_UNTRUSTED',
    });
    expect(await readdir(root)).not.toContain('certs.d');
    await chmod(caFile(), 0o644);
    await chmod(root, 0o777);
    await expect(provideAuthority({ ...registry(), caFile: caFile() }, directory())).rejects.toMatchObject({
      code: 'CONFIG_UNTRUSTED',
    });
  });
});
