import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { JobKey } from '../../../src/contract/job-key.ts';
import { readProcess } from '../../../src/helper/host/read-process.ts';
import { guardWatch } from '../../../src/helper/node/guard-watch.ts';
import { takeOverWatch } from '../../../src/helper/node/take-over-watch.ts';
import type { AbandonedLayer, Excess } from '../../../src/helper/node/take-over-watch.ts';
import { keepAudit } from '../../support/fake-audit.ts';

const mebibyte = 1024 ** 2;
const isRoot = process.geteuid?.() === 0;
const uid = isRoot ? 65_534 : (process.geteuid?.() ?? 0);
const guard = path.resolve('share/guard-disk-watch');
let directory: string;
beforeEach(async () => void (directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-guard-'))));
afterEach(async () => await rm(directory, { recursive: true, force: true }));

/** A process that stands for a container, and what is known of it. */
async function startLayer(): Promise<{ readonly layer: AbandonedLayer; readonly ended: Promise<unknown> }> {
  const child = spawn('sleep', ['100'], { stdio: 'ignore', ...(isRoot ? { uid, gid: uid } : {}) });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  const { startTicks } = (await readProcess(pid))!;
  // A file system that is nobody's: who keeps files open is killed.
  const root = { id: '999999999', device: 0 };
  const bounds = { bytes: mebibyte, inodes: 1000, reserveBytes: 0 };
  return { layer: { job: '7' as JobKey, uid, directory, pid, startTicks, root, bounds }, ended };
}

/** A program that only says that it was started, and what it was given. */
async function standIn(): Promise<{ readonly watch: string; readonly given: () => Promise<string> }> {
  const watch = path.join(directory, 'watch.cjs');
  const mark = path.join(directory, 'mark');
  const excess = JSON.stringify({ code: 'DISK_LIMIT', message: 'too much' });
  await writeFile(
    watch,
    `require('node:fs').writeFileSync('${mark}', process.argv[2]); console.log('${excess}'); setTimeout(() => {}, 200);`,
  );
  return { watch, given: async () => await readFile(mark, 'utf8').catch(() => '') };
}

describe('the guard of the watch', () => {
  test('has another program watch once nobody says that the container is gone, and passes on what that finds', async () => {
    const { layer } = await startLayer();
    const { watch, given } = await standIn();
    const guarded = guardWatch(layer, { guard, watch });
    await guarded.ready;
    expect(await given()).toBe('');
    guarded[Symbol.dispose]();
    await expect(guarded.exceeded).rejects.toMatchObject({ code: 'DISK_LIMIT', message: 'too much' });
    expect(JSON.parse(await given())).toEqual(layer);
  });

  test('has another program watch when its run-node stands still', async () => {
    const { layer } = await startLayer();
    const { watch, given } = await standIn();
    const program = `import { guardWatch } from '${path.resolve('src/helper/node/guard-watch.ts')}';
      await guardWatch(${JSON.stringify(layer)}, ${JSON.stringify({ guard, watch })}).ready;
      console.log('guarded'); setInterval(() => {}, 1000);`;
    const runNode = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void runNode.kill('SIGKILL'));
    await once(runNode.stdout, 'data');
    runNode.kill('SIGSTOP');
    await vi.waitFor(async () => expect(await given()).not.toBe(''), { timeout: 12_000, interval: 100 });
  }, 20_000);

  test('has what is known of the container by then watched, once it runs', async () => {
    const { layer } = await startLayer();
    const { watch, given } = await standIn();
    const { job, uid: owner, bounds } = layer;
    const before = { job, uid: owner, bounds, name: 'hpcdj-7-node-0', token: 'x' };
    for (const isPlaced of [false, true]) {
      const guarded = guardWatch(before, { guard, watch });
      await guarded.ready;
      if (isPlaced) guarded.place(layer);
      guarded[Symbol.dispose]();
      await guarded.exceeded.catch(() => undefined);
      expect(JSON.parse(await given())).toEqual(isPlaced ? layer : before);
    }
  });

  test('ends with its container', async () => {
    const { layer } = await startLayer();
    const { watch, given } = await standIn();
    const guarded = guardWatch(layer, { guard, watch });
    await guarded.ready;
    guarded.release();
    guarded[Symbol.dispose]();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await given()).toBe('');
  });

  test('is needed: without it no job runs here', async () => {
    const { layer } = await startLayer();
    using guarded = guardWatch(layer, { guard: path.join(directory, 'none'), watch: 'none' });
    await expect(guarded.ready).rejects.toMatchObject({ code: 'HOST_UNFIT' });
  });
});

describe('who takes over the watch', () => {
  test('kills what holds too much, says why before, and ends', async () => {
    const { layer, ended } = await startLayer();
    const told: Excess[] = [];
    const lines: string[] = [];
    await writeFile(path.join(directory, 'big'), Buffer.alloc(2 * mebibyte, 1));
    await takeOverWatch(layer, keepAudit(lines), (excess) => void told.push(excess));
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(told).toEqual([expect.objectContaining({ code: 'DISK_LIMIT' })]);
    expect(lines.map((line) => /"event":"([^"]+)"/.exec(line)?.[1])).toEqual([
      'disk-watch-taken-over',
      'disk-exceeded',
    ]);
  });

  test('kills no process of another user', async () => {
    const { layer, ended } = await startLayer();
    const told: Excess[] = [];
    await writeFile(path.join(directory, 'big'), Buffer.alloc(2 * mebibyte, 1));
    const taken = takeOverWatch({ ...layer, uid: layer.uid + 1 }, keepAudit([]), (excess) => void told.push(excess));
    await vi.waitFor(() => expect(told).toHaveLength(1), { timeout: 5000 });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(await readProcess(layer.pid)).toBeDefined();
    process.kill(layer.pid, 'SIGTERM');
    expect(await ended).toEqual([null, 'SIGTERM']);
    await taken;
  });

  test('ends with a container that holds little, and kills no process that has its number now', async () => {
    const { layer } = await startLayer();
    const told: Excess[] = [];
    await writeFile(path.join(directory, 'big'), Buffer.alloc(2 * mebibyte, 1));
    await takeOverWatch({ ...layer, startTicks: '1' }, keepAudit([]), (excess) => void told.push(excess));
    expect(told).toEqual([]);
    expect(await readProcess(layer.pid)).toBeDefined();
  });
});
