/** Audit records on their way to a real file, by the real appender: several helpers at once, rotation, kills, full and hanging disks. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  appendFile,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  rmdir,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CallAudit } from '../../src/helper/audit/audit.ts';
import { auditCall } from '../../src/helper/audit/audit.ts';
import type { AuditPlaces } from '../../src/helper/audit/append-by-process.ts';
import { fileSink } from '../../src/helper/audit/audit-sink.ts';
import { findRotated, verifyAudit } from '../../src/helper/audit/verify-audit.ts';

const root = path.resolve(import.meta.dirname, '../..');

let directory: string;
let places: AuditPlaces;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-audit-'));
  places = { spool: `${directory}/spool`, state: `${directory}/state/host`, appender: `${root}/share/append-audit` };
  file = `${directory}/log/audit.json`;
  await mkdir(`${directory}/log`);
});
afterEach(async () => {
  await execa('umount', [`${directory}/log`], { reject: false });
  await rm(directory, { recursive: true, maxRetries: 20 }); // an appender may still be at work
});

function open(to = file, isRequired = true): CallAudit {
  return auditCall(fileSink(to, places), { uid: 2001, verb: 'release-job', job: '772' }, { isRequired });
}

/** One call with so many records, written out. */
async function call(count = 1, to = file): Promise<void> {
  const audit = open(to);
  audit.allow('owner');
  for (let n = 1; n < count; n += 1) audit.record('node-released', { note: `\u2028${n}\n` });
  await audit.flush();
}

const faultsOf = async (): Promise<readonly string[]> => {
  const { findings } = await verifyAudit(await findRotated(file), places.state);
  return findings.filter(({ kind }) => kind === 'broken').map(({ text }) => text);
};
const countOf = async (of = file): Promise<number> => (await readFile(of, 'utf8')).split('\n').length - 1;
const waiting = async (): Promise<number> =>
  (await readdir(places.spool)).filter((name) => /^\d/.test(name)).length +
  (await readdir(`${places.spool}/.work`)).length;

describe('records in a file', () => {
  it('are a whole chain, of root alone, and nothing of them waits any more', async () => {
    await call(3);
    await call(2);
    expect(await countOf()).toBe(5);
    expect(await faultsOf()).toEqual([]);
    expect(await waiting()).toBe(0);
    const modes = await execa('stat', ['-c', '%a', file, places.spool, places.state]);
    expect(modes.stdout.split('\n')).toEqual(['600', '700', '600']);
  });

  it('of many helpers at once come each whole, and once', async () => {
    const script = `
      import { auditCall } from '${root}/src/helper/audit/audit.ts';
      import { fileSink } from '${root}/src/helper/audit/audit-sink.ts';
      const audit = auditCall(fileSink('${file}', ${JSON.stringify(places)}), { uid: process.pid, verb: 'test' }, { isRequired: false });
      for (let n = 0; n < 5; n += 1) audit.record('node-released', { n });
      await audit.flush();`;
    const argv = ['--input-type=module', '--disable-warning=ExperimentalWarning', '-e', script];
    await Promise.all(Array.from({ length: 8 }, async () => await execa(process.execPath, argv)));
    await expect.poll(countOf, { timeout: 10_000 }).toBe(40);
    expect(await faultsOf()).toEqual([]);
    const all = (await readFile(file, 'utf8')).trim().split('\n');
    expect(new Set(all.map((line) => line.match(/"(?:uid|n)":\d+/g)?.join())).size).toBe(40);
  });

  it.each([
    ['a new file', async () => await rename(file, `${file}.1`)],
    [
      'copying and truncating',
      async () => {
        await copyFile(file, `${file}-20261128`);
        await truncate(file);
      },
    ],
    [
      'a new file that is compressed',
      async () => {
        await rename(file, `${file}.1`);
        await execa('gzip', [`${file}.1`]);
      },
    ],
  ])('are one chain across a rotation by %s', async (_, rotate) => {
    await call(3);
    await rotate();
    await call(2);
    expect(await findRotated(file)).toHaveLength(2);
    expect(await faultsOf()).toEqual([]);
    await rm((await findRotated(file)).find((each) => each !== file)!);
    const { findings } = await verifyAudit([file], places.state);
    expect(findings.map(({ kind, text }) => `${kind}: ${text}`)).toEqual([
      expect.stringMatching(/^note: .*begins with record 4/),
    ]);
  });

  it('that somebody has cut off at the end are missed', async () => {
    await call(4);
    const lines = (await readFile(file, 'utf8')).split('\n');
    await writeFile(file, `${lines.slice(0, 2).join('\n')}\n`);
    expect(await faultsOf()).toEqual([expect.stringContaining('records 3 to 4 are missing at the end')]);
    await call();
    expect(await faultsOf()).toEqual([expect.stringContaining('records 3 to 4 are missing before this line')]);
  });
});

describe('an append that is killed', () => {
  it('at any moment is finished by the next one, with every record once', async () => {
    for (let round = 0; round < 12; round += 1) {
      const audit = open();
      for (let n = 0; n < 6; n += 1) audit.record('node-released', { round, n });
      const child = spawn('/bin/sh', [places.appender, places.spool, file, places.state], {
        stdio: 'ignore',
        detached: true,
        env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
      });
      const over = once(child, 'exit');
      await new Promise((resolve) => setTimeout(resolve, round * 4));
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // it was quicker
      }
      await over;
    }
    await call();
    await expect.poll(countOf, { timeout: 10_000 }).toBe(12 * 6 + 1);
    expect(await faultsOf()).toEqual([]);
  });

  it('between its write and its note of it is not written again', async () => {
    await call(2);
    const state = await readFile(places.state, 'utf8');
    await call(2);
    const [third, fourth] = (await readFile(file, 'utf8')).split('\n').slice(2);
    // As it was before the note: the records are claimed, the file has them, the state does not.
    await writeFile(places.state, state);
    for (const [n, line] of [third, fourth].entries()) {
      const { seq, prev, ...record } = JSON.parse(line!) as Record<string, unknown>;
      expect([typeof seq, typeof prev]).toEqual(['number', 'string']);
      await writeFile(`${places.spool}/.work/0000000000000000000${n}-1-1`, `${JSON.stringify(record)}\n`);
    }
    await writeFile(`${places.spool}/.appending`, '');
    await truncate(file, (await readFile(file)).length - 30); // and of the last one a part only
    await call();
    const after = (await readFile(file, 'utf8')).trim().split('\n');
    expect(after).toHaveLength(6); // the torn one stays
    expect(await faultsOf()).toEqual([]);
  });

  it('that goes on while somebody verifies is no fault', async () => {
    await call(2);
    const before = await readFile(places.state, 'utf8');
    await call(2);
    const after = await readFile(places.state, 'utf8');
    await writeFile(places.state, before); // as it is between the write and the note of it
    const noted = new Promise((resolve) => setTimeout(resolve, 700)).then(() => writeFile(places.state, after));
    expect(await faultsOf()).toEqual([]);
    await noted;
    await writeFile(places.state, before);
    expect(await faultsOf()).toEqual([expect.stringContaining('were not written by the helper')]);
  });

  it('is no longer waited for when somebody has stopped it', async () => {
    await call();
    const holder = spawn('/bin/sh', ['-c', 'exec 9>>.lock; flock 9; echo $$ >.holder; while :; do sleep 0.05; done'], {
      cwd: places.spool,
      stdio: 'ignore',
      detached: true,
    });
    const ended = once(holder, 'exit');
    await expect.poll(async () => await readFile(`${places.spool}/.holder`, 'utf8')).toBe(`${holder.pid}\n`);
    process.kill(-holder.pid!, 'SIGSTOP');
    const startedAt = performance.now();
    await call();
    expect(performance.now() - startedAt).toBeLessThan(1800); // it waits a second, whatever holds the lock
    await expect.poll(countOf, { timeout: 15_000 }).toBe(2);
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(await faultsOf()).toEqual([]);
  });

  it('is no longer waited for when somebody has stopped it before it could say that it has the lock', async () => {
    await call();
    const script = 'exec 9>>.lock; flock 9; : >locked; while :; do sleep 0.05; done';
    const holder = spawn('/bin/sh', ['-c', script], { cwd: places.spool, stdio: 'ignore', detached: true });
    const ended = once(holder, 'exit');
    await expect.poll(async () => await readdir(places.spool)).toContain('locked');
    process.kill(-holder.pid!, 'SIGSTOP');
    await call();
    await expect.poll(countOf, { timeout: 15_000 }).toBe(2);
    expect(await ended).toEqual([null, 'SIGKILL']);
  });

  it('is in no cgroup of a job when it has the lock, so that a user who freezes a job holds nobody', async () => {
    await call();
    const isV1 = existsSync('/sys/fs/cgroup/freezer');
    const group = `/sys/fs/cgroup/${isV1 ? 'freezer/' : ''}hpcdj-test-${process.pid}`;
    const freeze = async (isFrozen: boolean): Promise<void> =>
      isV1
        ? await writeFile(`${group}/freezer.state`, isFrozen ? 'FROZEN' : 'THAWED')
        : await writeFile(`${group}/cgroup.freeze`, isFrozen ? '1' : '0');
    await mkdir(group);
    await using undo = new AsyncDisposableStack();
    undo.defer(async () => await expect.poll(async () => await rmdir(group).then(() => 'gone')).toBe('gone'));
    undo.defer(async () => await freeze(false));
    const lock = spawn('/bin/sh', ['-c', 'exec 9>>.lock; flock 9; : >locked; cat'], {
      cwd: places.spool,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    await expect.poll(async () => await readdir(places.spool)).toContain('locked');
    const { appender, spool, state } = places;
    const start = `echo $$ >${group}/cgroup.procs; exec /bin/sh ${appender} ${spool} ${file} ${state}`;
    const appending = spawn('/bin/sh', ['-c', start], { stdio: 'ignore', detached: true });
    const ended = once(appending, 'exit');
    await expect
      .poll(async () => await readFile(`/proc/${appending.pid}/task/${appending.pid}/children`, 'utf8'))
      .not.toBe('');
    await pause(300); // renice is through, and it waits for the lock
    await freeze(true);
    lock.stdin.end();
    expect(await ended).toEqual([0, null]);
  });
});

describe('records that were not appended', () => {
  it('by who was stopped before it could are appended before a job is refused for them', async () => {
    await call();
    const old = String(process.hrtime.bigint() - 60_000_000_000n).padStart(20, '0');
    await writeFile(`${places.spool}/${old}-1-1`, '{"host":"h"}\n');
    const audit = open();
    audit.allow('owner');
    await audit.requireWritable();
    expect(await countOf()).toBe(3);
  });
});

describe('a disk that takes nothing', () => {
  it('when it is full loses no record, refuses what demands records, and is made up for later', async () => {
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'hpcdj-test', `${directory}/log`]);
    await call(2);
    await execa('dd', ['if=/dev/zero', `of=${directory}/log/ballast`, 'bs=1k'], { reject: false });
    await call(30);
    const audit = open();
    await expect(audit.requireWritable()).rejects.toThrow(/No space left on device/);
    await open(file, false).requireWritable();
    await rm(`${directory}/log/ballast`);
    await call();
    expect(await countOf()).toBeGreaterThanOrEqual(33);
    expect(await faultsOf()).toEqual([]);
    await audit.requireWritable();
  });

  it('when it hangs holds no call, and nobody writes beside it', async () => {
    const hanging = `${directory}/hang`;
    await writeFile(hanging, 'cd "$1"; exec 9>>.lock; flock -n 9 || exit 0; while [ ! -e over ]; do sleep 0.1; done');
    const real = places;
    places = { ...places, appender: hanging };
    const startedAt = performance.now();
    await call();
    expect(performance.now() - startedAt).toBeLessThan(1800);
    await appendFile(`${real.spool}/over`, '');
    places = real;
    await call();
    await expect.poll(countOf, { timeout: 10_000 }).toBe(2);
    expect(await faultsOf()).toEqual([]);
  });

  it.each([
    ['a pipe that nobody reads', async () => await execa('mkfifo', [file]), /is no regular file/],
    ['a directory', async () => await mkdir(file), /is no regular file/],
    [
      'in no directory',
      async () => await rm(`${directory}/log`, { recursive: true }),
      /cannot create|No such file|nonexistent/i,
    ],
  ])('because it is %s is told, and holds no call', async (_, make, reason) => {
    await make();
    const startedAt = performance.now();
    await call();
    expect(performance.now() - startedAt).toBeLessThan(1800);
    await expect
      .poll(
        async () =>
          await open()
            .requireWritable()
            .then(
              () => '',
              (error: unknown) => (error as Error).message,
            ),
        { timeout: 10_000 },
      )
      .toMatch(reason);
    await mkdir(`${directory}/log`, { recursive: true });
  });
});
