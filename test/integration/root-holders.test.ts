/** Processes of a user that keep files of a file system open which only another mount namespace has, as a container's. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JobKey } from '../../src/contract/job-key.ts';
import { endDirectoryHoldersNow } from '../../src/helper/release/end-directory-holders.ts';
import { endRootHolders } from '../../src/helper/release/end-root-holders.ts';
import type { RootMount } from '../../src/system/open-files.ts';
import { keepAudit } from '../support/fake-audit.ts';

const uid = 61_234;
const job = '7' as JobKey;
let directory: string;
let root: RootMount;
let stop: () => void;

beforeAll(async () => {
  const script = 'mount -t tmpfs -o mode=1777 tmpfs /mnt && echo ready && exec sleep 300';
  const container = spawn('unshare', ['--mount', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  stop = () => void container.kill('SIGKILL');
  await once(container.stdout, 'data');
  directory = `/proc/${container.pid}/root/mnt`;
  const opened = await open(directory, 'r');
  const id = /^mnt_id:\s*(\d+)$/m.exec(await readFile(`/proc/self/fdinfo/${opened.fd}`, 'utf8'))?.[1] ?? '';
  await opened.close();
  root = { id, device: (await stat(directory)).dev };
});
afterAll(() => stop());

/** Has perl do this as the user, with a file below the mount open. Its output ends with the last of its processes. */
async function begin(program: string, name: string): Promise<Readable> {
  const file = await open(`${directory}/${name}`, name === '.' ? 'r' : 'w');
  const child = spawn('perl', ['-MPOSIX', '-e', `$| = 1; ${program}`], {
    ...{ uid, gid: uid, detached: true },
    stdio: ['ignore', 'pipe', 'inherit', file.fd],
  });
  await file.close();
  const output = child.stdio[1];
  if (output === null) throw new Error('no output');
  await once(output, 'data');
  return output.resume();
}

const forking = 'print "ready"; my $end = time + 40; while (time < $end) { fork and POSIX::_exit(0);';

/** Who forks may outrun one release on a busy host (docs/security.md): seldom, and not again and again. */
const race = { timeout: 15_000, retry: 4 };

test.each([
  ['stands still', 'print "ready"; sleep 40'],
  ['forks without a pause', `${forking} }`],
  ['forks without a pause, always into another session', `${forking} POSIX::setsid() }`],
])('one that %s is ended', race, async (name, program) => {
  const output = await begin(program, name.replaceAll(/\W+/g, '-'));
  const over = once(output, 'end');
  const records: string[] = [];
  await endRootHolders({ audit: keepAudit(records) }, job, [{ uid, root }]);
  expect(records.join('\n')).toContain('"event":"holder-killed"');
  expect(records.join('\n')).not.toContain('"event":"holders-left"');
  const soon = AbortSignal.timeout(2000);
  await Promise.race([over, once(soon, 'abort').then(() => expect.unreachable('something of it goes on'))]);
});

test('several that fork without a pause and have a directory open are ended', race, async () => {
  const outputs = await Promise.all(['a', 'b', 'c'].map(async () => await begin(`${forking} }`, '.')));
  const over = Promise.all(outputs.map(async (output): Promise<void> => void (await once(output, 'end'))));
  expect(await endDirectoryHoldersNow({ audit: keepAudit([]) }, job, [{ uid, root }])).toBeGreaterThanOrEqual(3);
  const soon = AbortSignal.timeout(2000);
  await Promise.race([over, once(soon, 'abort').then(() => expect.unreachable('something of it goes on'))]);
});

test('one of another user is spared', async () => {
  const output = await begin('print "ready"; sleep 3', 'own');
  const records: string[] = [];
  await endRootHolders({ audit: keepAudit(records) }, job, [{ uid: uid + 1, root }]);
  expect(records).toEqual([]);
  await once(output, 'end');
});
