/** A run-node that has paused its container, and is stopped itself: with the real freezer of the kernel. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { readProcess } from '../../src/helper/host/read-process.ts';

const guard = path.resolve('share/guard-disk-watch');
/** Longer than the silence after which the guard has somebody else watch. */
const silenceMs = 7000;
let directory: string;
let cgroup: string;
let isV1: boolean;
let containers: ChildProcess[];

beforeEach(async () => {
  containers = [];
  directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-guard-'));
  isV1 = await access('/sys/fs/cgroup/freezer').then(
    () => true,
    () => false,
  );
  cgroup = `/sys/fs/cgroup/${isV1 ? 'freezer/' : ''}hpcdj-guard-${process.pid}`;
  await mkdir(cgroup);
});
afterEach(async () => {
  await freeze(false);
  for (const container of containers) container.kill('SIGKILL');
  await vi.waitFor(async () => await rmdir(cgroup), { timeout: 10_000, interval: 100 });
  await rm(directory, { recursive: true, force: true });
});

async function freeze(isFrozen: boolean): Promise<void> {
  const [file, word] = isV1
    ? ['freezer.state', isFrozen ? 'FROZEN' : 'THAWED']
    : ['cgroup.freeze', isFrozen ? '1' : '0'];
  await writeFile(`${cgroup}/${file}`, word);
  const seen = isV1 ? word : `frozen ${word}`;
  const state = `${cgroup}/${isV1 ? 'freezer.state' : 'cgroup.events'}`;
  await vi.waitFor(async () => expect(await readFile(state, 'utf8')).toContain(seen));
}

interface Started {
  readonly runNode: ChildProcess;
  /** Has run-node say something to its guard. */
  readonly tell: (word: 'sleep' | 'wake') => Promise<void>;
  readonly isTakenOver: () => Promise<boolean>;
}

async function start(): Promise<Started> {
  const container = spawn('sleep', ['300'], { stdio: 'ignore' });
  containers.push(container);
  await once(container, 'spawn');
  const pid = container.pid ?? 0;
  await writeFile(`${cgroup}/cgroup.procs`, String(pid));
  const startTicks = (await readProcess(pid))?.startTicks;
  const bounds = { bytes: 2 ** 30, inodes: 1000, reserveBytes: 0 };
  const layer = { job: '7', uid: 65_534, directory, pid, startTicks, root: { id: '999999999', device: 0 }, bounds };
  const watch = path.join(directory, 'watch.cjs');
  const mark = path.join(directory, 'mark');
  await writeFile(watch, `require('node:fs').writeFileSync('${mark}', 'x')`);
  const program = `import { guardWatch } from '${path.resolve('src/helper/node/guard-watch.ts')}';
    const guarded = guardWatch(${JSON.stringify(layer)}, ${JSON.stringify({ guard, watch })});
    await guarded.ready;
    process.stdin.on('data', async (word) => { await guarded[String(word)](); console.log('told'); });
    console.log('guarded');`;
  const runNode = spawn(process.execPath, ['--input-type=module-typescript', '--eval', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void runNode.kill('SIGKILL'));
  await once(runNode.stdout, 'data');
  return {
    runNode,
    tell: async (word) => {
      const answered = once(runNode.stdout, 'data');
      runNode.stdin.write(word);
      await answered;
    },
    isTakenOver: async () =>
      await access(mark).then(
        () => true,
        () => false,
      ),
  };
}

const soon = { timeout: 20_000, interval: 200 };

test('nobody else watches while the container is frozen, and somebody does once it is not', async () => {
  const { runNode, tell, isTakenOver } = await start();
  await freeze(true);
  await tell('sleep');
  runNode.kill('SIGSTOP');
  await sleep(silenceMs);
  expect(await isTakenOver()).toBe(false);
  await freeze(false);
  await vi.waitFor(async () => expect(await isTakenOver()).toBe(true), soon);
});

test('it is not believed of a container that runs', async () => {
  const { runNode, tell, isTakenOver } = await start();
  await tell('sleep');
  runNode.kill('SIGSTOP');
  await vi.waitFor(async () => expect(await isTakenOver()).toBe(true), soon);
});

test('it is over once run-node goes on, and when it dies', async () => {
  const { runNode, tell, isTakenOver } = await start();
  await freeze(true);
  await tell('sleep');
  await tell('wake');
  runNode.kill('SIGSTOP');
  await vi.waitFor(async () => expect(await isTakenOver()).toBe(true), soon);
  await rm(path.join(directory, 'mark'));
  const second = await start();
  await second.tell('sleep');
  second.runNode.kill('SIGKILL');
  await vi.waitFor(async () => expect(await second.isTakenOver()).toBe(true), soon);
});
