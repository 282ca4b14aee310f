import { expect, test } from 'vitest';
import { findUpperDirectory, findWritableLayer } from '../../../src/docker/find-writable-layer.ts';

const overlay = (options: string): string =>
  `1700 1650 0:55 / / rw,relatime master:9 - overlay overlay rw,lowerdir=/l/A:/l/B,${options}\n1701 1700 0:56 / /proc rw - proc proc rw\n`;

test('takes the engine’s word where it gives one', async () => {
  expect(await findWritableLayer({ Name: 'overlay2', Data: { UpperDir: '/d/diff' } }, process.pid)).toBe('/d/diff');
});

test.each([
  [
    'the mount at / of a container',
    overlay('upperdir=/c/snapshots/7/fs,workdir=/c/snapshots/7/work'),
    '/c/snapshots/7/fs',
  ],
  ['a path with a blank', overlay(String.raw`upperdir=/my\040data/fs,workdir=/w`), '/my data/fs'],
  ['a path that is not from the root', overlay('upperdir=7/fs,workdir=7/work'), undefined],
  ['another file system', '1700 1650 0:55 / / rw - btrfs /dev/sda rw,subvol=/upperdir=/x\n', undefined],
  ['nothing', '', undefined],
])('reads %s', (_, mountinfo, expected) => expect(findUpperDirectory(mountinfo)).toBe(expected));
