import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findInLayers, isOpenToUsers } from '../../../src/docker/find-device-files.ts';
import { DeviceEntries } from '../../../src/docker/device-entries.ts';
import type { DeviceFile } from '../../../src/docker/device-entries.ts';

const disk: DeviceFile = { path: '/disk', kind: 'block', major: 8, minor: 0, mode: 0o60_666, uid: 0, gid: 6 };

describe('a device file of an image', () => {
  it.each<[string, Partial<DeviceFile>, boolean]>([
    ['open to all', {}, true],
    ['open to its group', { mode: 0o60_660 }, true],
    ['to be read by others', { mode: 0o60_604 }, true],
    ['of a user', { mode: 0o60_600, uid: 2001 }, true],
    ['of root alone', { mode: 0o60_600 }, false],
    ['null', { kind: 'character', major: 1, minor: 3 }, false],
    ['the console where builders leave it', { path: '/dev/console', kind: 'character', major: 5, minor: 1 }, false],
    [
      'a disk below the /dev that the engine hides, open to a group of the system',
      { path: '/dev/x', mode: 0o60_660 },
      false,
    ],
    ['a disk there that is open to all', { path: '/dev/x' }, true],
    ['a disk there of a user’s group', { path: '/dev/x', mode: 0o60_660, gid: 2001 }, true],
    ['a console elsewhere', { kind: 'character', major: 5, minor: 1 }, true],
    ['a disk beside /dev', { path: '/dev2/sda' }, true],
    ['a disk in another dev', { path: '/x/dev/sda' }, true],
    ['a disk of an unknown name', { path: undefined }, true],
    ['a disk by the number of null', { major: 1, minor: 3 }, true],
    ['memory', { kind: 'character', major: 1, minor: 1, mode: 0o20_640 }, true],
  ])('%s', (_, facts, isOpen) => expect(isOpenToUsers({ ...disk, ...facts })).toBe(isOpen));
});

describe('the device files of an image', () => {
  let layers: readonly string[];
  let top: string;

  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'layers-'));
    layers = ['upper', 'lower'].map((name) => join(top, name));
    for (const layer of layers) mkdirSync(join(layer, 'a/b'), { recursive: true });
    writeFileSync(join(top, 'upper/plain'), '');
    symlinkSync('/dev', join(top, 'upper/link'));
    execFileSync('mknod', ['-m', '666', join(top, 'lower/a/b/log'), 'c', '1', '11']);
    renameSync(
      join(top, 'lower/a/b/log'),
      Buffer.concat([Buffer.from(`${top}/lower/a/b/`), Buffer.from([0xff, 0x0a])]),
    );
    execFileSync('mknod', ['-m', '660', join(top, 'upper/a/disk'), 'b', '259', '300']);
    execFileSync('mknod', [join(top, 'upper/a/gone'), 'c', '0', '0']);
  });
  afterEach(() => rmSync(top, { recursive: true, force: true }));

  it('are found in all layers, links not followed and whiteouts left out', async () => {
    const found = await findInLayers(layers);
    expect(found.map(({ kind, major, minor }) => [kind, major, minor]).sort()).toEqual([
      ['block', 259, 300],
      ['character', 1, 11],
    ]);
    expect(found.find(({ kind }) => kind === 'block')).toMatchObject({
      path: '/a/disk',
      mode: 0o60_660,
      uid: 0,
      gid: 0,
    });
  });

  it('are not looked for without end', async () => {
    await expect(findInLayers(layers, 3)).rejects.toThrow('its files are more than 3');
  });

  it('are found in an archive of all files as well, whatever the size of its pieces', () => {
    writeFileSync(join(top, 'upper/plain'), 'x'.repeat(1500));
    const archive = execFileSync('tar', ['-C', join(top, 'upper'), '-c', '.']);
    for (const size of [1, 511, 512, 10_000, archive.length]) {
      expect(findIn(archive, size)).toContainEqual({
        path: '/a/disk',
        kind: 'block',
        major: 259,
        minor: 300,
        mode: 0o660,
        uid: 0,
        gid: 0,
      });
    }
  });

  it.each(['ustar', 'gnu', 'pax'])('have no name in an archive of form %s where it stands in two places', (form) => {
    const long = join(top, 'upper', 'd'.repeat(90), 'dev');
    mkdirSync(long, { recursive: true });
    execFileSync('mknod', ['-m', '666', join(long, 'hidden-disk'), 'b', '8', '0']);
    const archive = execFileSync('tar', [`--format=${form}`, '-C', join(top, 'upper'), '-c', '.']);
    const [found] = findIn(archive, 10_000).filter(({ major }) => major === 8);
    expect(found).toMatchObject({ path: undefined, kind: 'block' });
  });

  it('are not looked for where the size of a file stands in another place than its header', () => {
    execFileSync('truncate', ['-s', '8G', join(top, 'upper/huge')]);
    const pax = ['--format=pax', '--pax-option=delete=atime,delete=ctime'];
    const start = execFileSync('sh', [
      '-c',
      'tar "$@" | head -c 10240',
      'sh',
      ...pax,
      '-C',
      join(top, 'upper'),
      '-c',
      'huge',
    ]);
    for (const size of [1, 700, 10_240]) expect(() => findIn(start, size)).toThrow('cannot be looked through');
  });

  it('are not believed of what is no archive', () => {
    expect(() => findIn(Buffer.alloc(2000, 'x'), 700)).toThrow('cannot be looked through');
  });
});

function findIn(archive: Buffer, size: number): readonly DeviceFile[] {
  const entries = new DeviceEntries();
  for (let at = 0; at < archive.length; at += size) entries.take(archive.subarray(at, at + size));
  return entries.found;
}
