import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, mkdtemp, open, readFile, rm, stat, symlink, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { parseRootMark } from '../../../src/helper/host/root-marks.ts';
import { measureRemovedFiles } from '../../../src/system/measure-removed-files.ts';
import { findHolders, findOpenFiles, findRootMount, seesMount } from '../../../src/system/open-files.ts';
import { isStill } from '../../../src/system/signal-process.ts';

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

it('finds what a thread has open in a table of its own, and knows the process again only while it is the same one', async () => {
  const processes = await mkdtemp('/var/lib/hpcdj-proc-');
  onTestFinished(async () => await rm(processes, { recursive: true, force: true }));
  const file = path.join(processes, 'f');
  await writeFile(file, 'x');
  const process4711 = path.join(processes, '4711');
  const thread = path.join(process4711, 'task/4712');
  await Promise.all(['fd', 'fdinfo'].map(async (name) => await mkdir(path.join(thread, name), { recursive: true })));
  const begin = async (ticks: number, user = uid): Promise<void> => {
    const fields = Array.from({ length: 18 }, () => '0').join(' ');
    await writeFile(path.join(process4711, 'stat'), `4711 (a) b) S ${fields} ${ticks} 0`);
    await writeFile(path.join(process4711, 'status'), `Name:\ta\nUid:\t${user}\t${user}\t${user}\t${user}\n`);
    await chown(process4711, user, 0);
  };
  await begin(500);
  await symlink(file, path.join(thread, 'fd/7'));
  await writeFile(path.join(thread, 'fdinfo/7'), 'pos:\t0\nmnt_id:\t812\n');
  const [holder] = await findOpenFiles({ id: '812', device: (await stat(file)).dev }, uid, processes);
  expect(holder).toMatchObject({ pid: 4711, since: '500' });
  if (holder === undefined) return;
  expect(isStill(holder, uid, processes)).toBe(true);
  await begin(501);
  expect(isStill(holder, uid, processes)).toBe(false);
  await begin(500, 65534);
  expect(isStill(holder, uid, processes)).toBe(false);
  await rm(process4711, { recursive: true });
  expect(isStill(holder, uid, processes)).toBe(false);
});

it.each([
  ['stands in a directory', 'cwd', 'directory', 1],
  ['has a directory for its root', 'root', 'directory', 1],
  ['has a directory open', 'fd/7', 'directory', 1],
  ['has a file open', 'fd/7', 'file', 1],
  ['stands elsewhere', 'cwd', 'elsewhere', 0],
])('finds whoever %s below a mount that is not its own', async (_, link, what, count) => {
  const base = await mkdtemp('/var/lib/hpcdj-holders-');
  onTestFinished(async () => await rm(base, { recursive: true, force: true }));
  const process4711 = path.join(base, 'proc/4711');
  const task = path.join(process4711, 'task/4712');
  for (const name of ['fd', 'fdinfo']) await mkdir(path.join(task, name), { recursive: true });
  await mkdir(path.join(base, 'directory'));
  await writeFile(path.join(base, 'file'), 'x');
  await writeFile(path.join(process4711, 'status'), `Name:\ta\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\n`);
  await writeFile(path.join(process4711, 'mountinfo'), '');
  await symlink(what === 'elsewhere' ? '/proc' : path.join(base, what), path.join(task, link));
  const opened = await open(base, 'r');
  onTestFinished(async () => await opened.close());
  const id = /^mnt_id:\s*(\d+)$/m.exec(await readFile(`/proc/self/fdinfo/${opened.fd}`, 'utf8'))?.[1] ?? '';
  await writeFile(path.join(task, 'fdinfo/7'), `pos:\t0\nmnt_id:\t${id}\n`);
  const root = { id, device: (await stat(base)).dev };
  const look = async (user: number): Promise<number> => (await findHolders(root, user, path.join(base, 'proc'))).length;
  expect(await look(uid)).toBe(count);
  expect(await look(uid + 1)).toBe(0);
  await writeFile(path.join(process4711, 'mountinfo'), `${id} 1 0:1 / / rw - overlay overlay rw\n`);
  expect(await look(uid)).toBe(0);
});
