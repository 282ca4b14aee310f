import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { throwOnExcess, watchDisk } from '../../../src/helper/node/watch-disk.ts';

const mebibyte = 1024 ** 2;
const bounds = { bytes: 64 * mebibyte, inodes: 1000, reserveBytes: 1024 * mebibyte };

describe('throwOnExcess', () => {
  test.each([
    ['nothing', 0, 20, false],
    ['just as much as is allowed', 64 * mebibyte, 1000, false],
    ['little on a disk that is full', 4 * mebibyte, 20, true],
  ])('lets a container that holds %s go on', (_, bytes, inodes, isLow) => {
    expect(() => throwOnExcess({ bytes, inodes }, bounds, isLow)).not.toThrow();
  });

  test.each([
    ['too many bytes', 65 * mebibyte, 20, false, 'holds 65 MiB in 20 files and directories'],
    ['too many files', 0, 1001, false, 'this site allows 64 MiB and 1000 of them'],
    ['too deep directories', 0, Infinity, false, 'in very deep directories'],
    ['much on a disk that is full', 5 * mebibyte, 20, true, 'has less than 1 GiB left'],
  ])('ends a container that holds %s', (_, bytes, inodes, isLow, message) => {
    const ended = (): void => throwOnExcess({ bytes, inodes }, bounds, isLow);
    expect(ended).toThrow(expect.objectContaining({ code: 'DISK_LIMIT', exitStatus: 65 }) as Error);
    expect(ended).toThrow(message);
  });
});

describe('watchDisk', () => {
  let directory: string;
  beforeEach(async () => void (directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-disk-'))));
  afterEach(async () => await rm(directory, { recursive: true, force: true }));
  const small = { bytes: mebibyte, inodes: 1000, reserveBytes: 0 };

  test('ends what grows over its bound while it is watched', async () => {
    using watch = watchDisk({ directory, pid: process.pid, uid: process.getuid?.() ?? 0 }, small);
    await writeFile(path.join(directory, 'big'), Buffer.alloc(2 * mebibyte, 1));
    await expect(watch.exceeded).rejects.toMatchObject({ code: 'DISK_LIMIT' });
    expect(watch.isExceeded()).toBe(true);
  });

  test('says nothing when it is over, nor of a directory that cannot be seen', async () => {
    const watch = watchDisk(
      { directory: path.join(directory, 'none'), pid: process.pid, uid: process.getuid?.() ?? 0 },
      small,
    );
    watch[Symbol.dispose]();
    await writeFile(path.join(directory, 'big'), Buffer.alloc(2 * mebibyte, 1));
    const later = new Promise((resolve) => setTimeout(() => resolve('quiet'), 1500));
    expect(await Promise.race([watch.exceeded, later])).toBe('quiet');
  });
});
