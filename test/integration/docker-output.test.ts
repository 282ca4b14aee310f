import { createHash, randomFillSync } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectEngine } from '../../src/docker/connect-engine.ts';
import { OutputDelivery } from '../../src/helper/host/deliver-output.ts';
import type { ContainerEngine } from '../../src/ports/container-engine.ts';
import { shellContainer } from '../support/container-spec.ts';
import { busyboxImage, startDockerEngine } from '../support/docker-engine.ts';
import type { TestEngine } from '../support/docker-engine.ts';

const megabyte = 1024 * 1024;

let lab: TestEngine;
let engine: ContainerEngine;
let imageId: string;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-test-'));
  await chmod(directory, 0o755);
  lab = await startDockerEngine();
  engine = connectEngine({ socketPath: lab.socketPath });
  imageId = (await engine.findImage(busyboxImage))?.id ?? '';
});

afterAll(async () => {
  await lab.stop();
  await rm(directory, { recursive: true, force: true });
});

async function digestOf(stream: NodeJS.ReadableStream): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of stream as AsyncIterable<Buffer>) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { bytes, sha256: hash.digest('hex') };
}

test('passes 200 MB of binary output on unchanged, both streams at once, in little memory', async () => {
  const blob = randomFillSync(Buffer.alloc(50 * megabyte));
  await writeFile(path.join(directory, 'blob'), blob);
  const expected = (copies: number): { bytes: number; sha256: string } => {
    const hash = createHash('sha256');
    for (let i = 0; i < copies; i += 1) hash.update(blob);
    return { bytes: copies * blob.length, sha256: hash.digest('hex') };
  };
  const script = 'sleep 1; cat /data/blob >&2 & cat /data/blob /data/blob /data/blob /data/blob; wait';
  const mounts = [{ source: directory, target: '/data', readOnly: true }];
  const container = await engine.createContainer(shellContainer(imageId, script, { mounts }));
  const output = await container.attachOutput();
  await container.start();
  // Nobody reads for a while: the container must stand still, not our memory fill up.
  await sleep(2500);
  const before = process.memoryUsage();
  expect(before.arrayBuffers).toBeLessThan(80 * megabyte);
  let highest = 0;
  const sampling = setInterval(() => (highest = Math.max(highest, process.memoryUsage().arrayBuffers)), 20);
  const [stdout, stderr] = await Promise.all([digestOf(output.stdout), digestOf(output.stderr)]);
  clearInterval(sampling);
  expect({ stdout, stderr }).toEqual({ stdout: expected(4), stderr: expected(1) });
  expect(highest).toBeLessThan(200 * megabyte); // of 300: the blob is 50, the rest is not yet collected
  await container.remove();
});

test('goes on with one stream when nobody wants the other any more', async () => {
  const script = 'sleep 1; dd if=/dev/zero bs=1M count=20 2>/dev/null; echo done >&2';
  const container = await engine.createContainer(shellContainer(imageId, script));
  const output = await container.attachOutput();
  (output.stdout as NodeJS.ReadableStream & { destroy(): void }).destroy();
  await container.start();
  expect(await text(output.stderr)).toBe('done\n');
  await container.remove();
});

test('ends both streams when the container is removed while it writes', async () => {
  const container = await engine.createContainer(shellContainer(imageId, 'while true; do echo x; done'));
  const output = await container.attachOutput();
  await container.start();
  const [stdout, stderr] = [digestOf(output.stdout), digestOf(output.stderr)];
  await container.remove();
  expect((await stdout).bytes).toBeGreaterThan(0);
  expect((await stderr).bytes).toBe(0);
});

test('a container whose reader stands still can be removed at once, and the reader still gets what it wrote', async () => {
  // More than the engine holds: it removes no container of which it has output to hand out.
  const script = 'sleep 1; dd if=/dev/zero bs=64k count=40 2>/dev/null; echo end; sleep 60';
  const container = await engine.createContainer(shellContainer(imageId, script));
  const targets = { stdout: new PassThrough(), stderr: new PassThrough() };
  const delivery = new OutputDelivery(targets);
  delivery.begin(await container.attachOutput());
  await container.start();
  await sleep(3000);
  void delivery.takeRest();
  await sleep(1000);
  const startedAt = performance.now();
  await container.remove();
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  const all = text(targets.stdout);
  await delivery.finish({ standStillMs: 5000, toldMs: 5000, told: new AbortController().signal });
  targets.stdout.end();
  expect((await all).length).toBe(40 * 65_536 + 'end\n'.length);
});

test('goes on with the output after a restart of the engine, and says that some was lost', async () => {
  await using restarted = await startDockerEngine({ settings: { 'live-restore': true } });
  const other = connectEngine({ socketPath: restarted.socketPath });
  const image = (await other.findImage(busyboxImage))?.id ?? '';
  const script = 'i=0; while [ ! -e /data/stop ]; do i=$((i+1)); echo $i; sleep 0.1; done; echo end';
  const flags = await mkdtemp(path.join(tmpdir(), 'hpcdj-test-'));
  await chmod(flags, 0o755);
  const mounts = [{ source: flags, target: '/data', readOnly: true }];
  const container = await other.createContainer(shellContainer(image, script, { mounts }));
  let gaps = 0;
  const output = await container.attachOutput(() => (gaps += 1));
  await container.start();
  const all = text(output.stdout);
  const errors = text(output.stderr);
  await restarted.restart();
  await sleep(3000);
  await writeFile(path.join(flags, 'stop'), '');
  expect((await container.waitForEnd(AbortSignal.timeout(20_000))).exitStatus).toBe(0);
  const lines = (await all).trim().split('\n');
  expect(await errors).toBe('');
  expect(lines.at(-1)).toBe('end');
  expect(Number(lines.at(-2))).toBeGreaterThan(20);
  expect(gaps).toBe(1);
  await container.remove();
  await rm(flags, { recursive: true, force: true });
});
