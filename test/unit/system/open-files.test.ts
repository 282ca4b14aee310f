import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm, unlink } from 'node:fs/promises';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { parseRootMark } from '../../../src/helper/host/root-marks.ts';
import { measureRemovedFiles } from '../../../src/system/measure-removed-files.ts';
import { findOpenFiles, findRootMount, seesMount } from '../../../src/system/open-files.ts';

const uid = process.getuid?.() ?? 0;
const mebibyte = 1024 ** 2;

it('finds what another process of the user has open on the file system of a root, and measures what has no name', async () => {
  const root = await findRootMount(process.pid);
  if (root === undefined) throw new Error('This process has no root.');
  // On the root's own file system, whatever /tmp is.
  const directory = await mkdtemp('/var/lib/hpcdj-open-');
  onTestFinished(async () => await rm(directory, { recursive: true, force: true }));
  const file = await open(path.join(directory, 'f'), 'w');
  await file.write(Buffer.alloc(4 * mebibyte, 'x'));
  await file.sync();
  const holder = spawn('sleep', ['100'], { stdio: ['ignore', 'ignore', 'ignore', file.fd] });
  onTestFinished(() => void holder.kill('SIGKILL'));
  await once(holder, 'spawn');
  await file.close();
  const before = await measureRemovedFiles(process.pid, uid);
  expect((await findOpenFiles(root, uid)).some(({ pid }) => pid === holder.pid)).toBe(true);
  expect((await findOpenFiles(root, uid + 1)).some(({ pid }) => pid === holder.pid)).toBe(false);
  await unlink(path.join(directory, 'f'));
  const more = (await measureRemovedFiles(process.pid, uid)) - before;
  expect(more).toBeGreaterThanOrEqual(4 * mebibyte);
  expect(more).toBeLessThan(6 * mebibyte);
  expect(await seesMount(process.pid, root)).toBe(true);
  expect(await seesMount(process.pid, { ...root, id: '999999999' })).toBe(false);
});

it.each([
  ['2001 812 47', { uid: 2001, root: { id: '812', device: 47 } }],
  ['', undefined],
  ['0 812 47', undefined],
  ['2001 812', undefined],
  ['2001 .* 47', undefined],
  ['2001 812 47\n2001 1 1', undefined],
])('the mark %j', (text, mark) => expect(parseRootMark(text)).toEqual(mark));
