import { chmod, chown, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkConfigFile } from '../../../src/config/check-config.ts';
import { checkUntamperable } from '../../../src/system/check-untamperable.ts';
import { loadSite } from '../../../src/config/load-site.ts';

/** A tree that only root can change, as /etc is: these tests run as root, like the helper. */
let root: string;

beforeEach(async () => {
  if (process.getuid?.() !== 0) throw new Error('These tests give files to other users and must run as root.');
  root = await mkdtemp(join(homedir(), 'untamperable-'));
  await mkdir(join(root, 'etc/site'), { recursive: true });
  await writeFile(join(root, 'etc/site/site.yaml'), 'version: 1\n');
});
afterEach(() => rm(root, { recursive: true, force: true }));

const at = (path: string): string => join(root, path);

describe('loadSite', () => {
  it('reads a file that is root’s along its whole path', async () => {
    expect(await loadSite(at('etc/site/site.yaml'), { mustBeTrusted: true })).toMatchObject({ version: 1 });
  });

  it('takes any file when it need not be trusted', async () => {
    await chmod(at('etc/site/site.yaml'), 0o666);
    expect(await loadSite(at('etc/site/site.yaml'), { mustBeTrusted: false })).toMatchObject({ version: 1 });
  });

  it.each<[string, string, () => Promise<void>]>([
    ['a file of another user', 'site.yaml is owned by uid 2001', () => chown(at('etc/site/site.yaml'), 2001, 0)],
    ['a file for everybody', 'site.yaml may be written to by everybody', () => chmod(at('etc/site/site.yaml'), 0o646)],
    ['a file for its group', 'site.yaml may be written to by its group', () => chmod(at('etc/site/site.yaml'), 0o664)],
    ['a directory of another user', 'etc/site is owned by uid 2001', () => chown(at('etc/site'), 2001, 0)],
    ['a directory for everybody', 'etc may be written to by everybody', () => chmod(at('etc'), 0o757)],
    ['a sticky directory', 'etc may be written to by its group and everybody', () => chmod(at('etc'), 0o1777)],
  ])('refuses %s and names the part', async (_, message, spoil) => {
    await spoil();
    await expect(loadSite(at('etc/site/site.yaml'), { mustBeTrusted: true })).rejects.toMatchObject({
      code: 'CONFIG_UNTRUSTED',
      message: expect.stringContaining(message) as string,
    });
  });

  it.each<[string, string]>([
    ['nothing.yaml', 'there is no such file'],
    ['etc', 'it is not a regular file'],
  ])('says that %s cannot be read', async (path, message) => {
    await expect(loadSite(at(path), { mustBeTrusted: false })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(message) as string,
    });
  });

  it('refuses what is not text or too long', async () => {
    await writeFile(at('latin1.yaml'), Buffer.from([0x61, 0xe4]));
    await writeFile(at('long.yaml'), ' '.repeat(1024 * 1024 + 1));
    await expect(loadSite(at('latin1.yaml'), { mustBeTrusted: false })).rejects.toThrow('it is not UTF-8 text');
    await expect(loadSite(at('long.yaml'), { mustBeTrusted: false })).rejects.toThrow('it is longer than 1 MiB');
  });
});

describe('checkUntamperable', () => {
  it('follows links and gives the path without them', async () => {
    await symlink('../etc/./site/', at('etc/link'));
    await symlink(`${at('etc/link')}/../site/site.yaml`, at('other.yaml'));
    expect(await checkUntamperable(at('other.yaml'), { expected: 'file' })).toBe(at('etc/site/site.yaml'));
  });

  it('checks the directories that a link leads through', async () => {
    await mkdir(at('open/safe'), { recursive: true });
    await writeFile(at('open/safe/x'), '');
    await chmod(at('open'), 0o777);
    await symlink(at('open/safe/x'), at('x'));
    await expect(checkUntamperable(at('x'), { expected: 'file' })).rejects.toThrow(`${at('open')} may be written to`);
    await symlink(`${at('open')}/../etc`, at('y'));
    await expect(checkUntamperable(at('y'), { expected: 'directory' })).rejects.toThrow(
      `${at('open')} may be written to`,
    );
  });

  it('ends at a loop of links', async () => {
    await symlink('b', at('a'));
    await symlink('a', at('b'));
    await expect(checkUntamperable(at('a'), { expected: 'file' })).rejects.toThrow('leads through too many links');
  });

  it('lets users write to the end alone when that may be shared', async () => {
    await chmod(at('etc/site'), 0o1777);
    expect(await checkUntamperable(at('etc/site'), { expected: 'directory', endMayBeShared: true })).toBe(
      at('etc/site'),
    );
    await mkdir(at('etc/site/mine'));
    await expect(
      checkUntamperable(at('etc/site/mine'), { expected: 'directory', endMayBeShared: true }),
    ).rejects.toThrow(`${at('etc/site')} may be written to`);
  });

  it.each([
    ['etc/site', 'program', 'is not a regular file'],
    ['etc/site/site.yaml', 'program', 'cannot be executed'],
    ['etc/site/site.yaml', 'directory', 'is not a directory'],
    ['etc/site/site.yaml/x', 'file', 'site.yaml is not a directory'],
    ['gone', 'file', 'cannot be read (ENOENT)'],
  ] as const)('refuses %s as a %s', async (path, expected, message) => {
    await expect(checkUntamperable(at(path), { expected })).rejects.toThrow(message);
  });

  it('refuses a relative path and gives the code it was asked for', async () => {
    await expect(
      checkUntamperable('etc/site', { expected: 'directory', code: 'MOUNT_NOT_ALLOWED' }),
    ).rejects.toMatchObject({
      code: 'MOUNT_NOT_ALLOWED',
    });
  });

  it('refuses whatever lies in a directory for everybody', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'untamperable-'));
    await expect(checkUntamperable(directory, { expected: 'directory' })).rejects.toThrow('may be written to by');
    await rm(directory, { recursive: true });
  });
});

describe('checkConfigFile', () => {
  it('gives no problem for a good file and all of them for others', async () => {
    await writeFile(at('bad.yaml'), 'version: 2\nx: 1\n');
    expect(await checkConfigFile(at('etc/site/site.yaml'))).toEqual([]);
    expect(await checkConfigFile(at('bad.yaml'))).toHaveLength(2);
    await expect(checkConfigFile(at('gone'))).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('there is no such file') as string,
    });
  });
});
