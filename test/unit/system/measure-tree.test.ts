import { execFileSync } from 'node:child_process';
import { lstatSync } from 'node:fs';
import { mkdir, mkdtemp, rm, rmdir, symlink, unlink, writeFile, link } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { measureTree } from '../../../src/system/measure-tree.ts';

const none = { bytes: Infinity, inodes: Infinity };
let directory: string;

beforeEach(async () => void (directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-measure-'))));
afterEach(async () => await rm(directory, { recursive: true, force: true }));

const at = (...parts: readonly string[]): string => path.join(directory, ...parts);

test('counts files and directories at every depth, as du does', async () => {
  await mkdir(at('a/b'), { recursive: true });
  await writeFile(at('a/b/c'), Buffer.alloc(300_000));
  await writeFile(at('d'), 'x');
  const { bytes, inodes } = await measureTree(directory, none);
  expect(inodes).toBe(4);
  const all = Number.parseInt(execFileSync('du', ['-s', '-B1', directory]).toString());
  expect(bytes).toBe(all - lstatSync(directory).blocks * 512);
});

test('counts a file of two names once', async () => {
  await writeFile(at('a'), Buffer.alloc(1_000_000));
  const before = (await measureTree(directory, none)).bytes;
  await link(at('a'), at('b'));
  expect(await measureTree(directory, none)).toEqual({ bytes: before, inodes: 2 });
});

test('counts files whose names are no text', async () => {
  await mkdir(Buffer.concat([Buffer.from(`${directory}/d`), Buffer.from([0xff])]));
  await writeFile(
    Buffer.concat([Buffer.from(`${directory}/d`), Buffer.from([0xff, 0x2f, 0xfe])]),
    Buffer.alloc(200_000),
  );
  const { bytes, inodes } = await measureTree(directory, none);
  expect(inodes).toBe(2);
  expect(bytes).toBeGreaterThan(199_999);
});

test('follows no link, nor a directory that becomes one meanwhile', async () => {
  await mkdir(at('outside'));
  for (let n = 0; n < 50; n += 1) await writeFile(at('outside', String(n)), '');
  await mkdir(at('inside'));
  await symlink('../outside', at('inside/link'));
  expect((await measureTree(at('inside'), none)).inodes).toBe(1);
  const over = new AbortController();
  const exchange = (async () => {
    while (!over.signal.aborted) {
      await mkdir(at('inside/changing'));
      await rmdir(at('inside/changing'));
      await symlink('../outside', at('inside/changing'));
      await unlink(at('inside/changing'));
    }
  })();
  try {
    for (let n = 0; n < 300; n += 1) expect((await measureTree(at('inside'), none)).inodes).toBeLessThanOrEqual(2);
  } finally {
    over.abort();
    await exchange;
  }
});

test('enters no other file system', async () => {
  await symlink('/proc', at('proc'));
  expect((await measureTree(directory, none)).inodes).toBe(1);
});

test('ends once there is more than the bound', async () => {
  for (let n = 0; n < 30; n += 1) await writeFile(at(String(n)), '');
  expect((await measureTree(directory, { bytes: Infinity, inodes: 10 })).inodes).toBe(11);
});

test('takes directories of any depth for too many, and holds few files open', async () => {
  let deep = directory;
  for (let n = 0; n < 150; n += 1) deep = path.join(deep, 'd');
  await mkdir(deep, { recursive: true });
  expect((await measureTree(directory, { bytes: 1e9, inodes: 20_000 })).inodes).toBe(Infinity);
});

test('fails when the directory is not there', async () => {
  await expect(measureTree(at('none'), none)).rejects.toThrow('ENOENT');
});
