import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { OutputDelivery } from '../../../src/helper/host/deliver-output.ts';

const source = (file: string): string => path.resolve(import.meta.dirname, '../../../src', file);
const piece = 64 * 1024;

/** A process that delivers `pieces` pieces to its own standard output as run-node does, and ends by `process.exit`. */
function deliverInChild(pieces: number) {
  const script = `
    import { Readable } from 'node:stream';
    import { OutputDelivery } from '${source('helper/host/deliver-output.ts')}';
    import { outliveReaders } from '${source('system/flush-output.ts')}';
    outliveReaders(process.stdout, process.stderr);
    const delivery = new OutputDelivery(process);
    delivery.begin({ stdout: Readable.from(Array.from({ length: ${pieces} }, () => Buffer.alloc(${piece}, 97))), stderr: Readable.from([]) });
    await delivery.takeRest();
    await delivery.finish({ standStillMs: 20_000, toldMs: 20_000, told: new AbortController().signal });
    process.exit(7);`;
  const child = spawn(
    process.execPath,
    ['--input-type=module', '--disable-warning=ExperimentalWarning', '-e', script],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  return { child, ended: once(child, 'exit') };
}

/** Standard output and error of which nobody has read anything yet. */
function unreadTargets(stdoutBytes = 1) {
  return { stdout: new PassThrough({ highWaterMark: stdoutBytes }), stderr: new PassThrough() };
}

const outputOf = (pieces: number) => ({
  stdout: Readable.from(Array.from({ length: pieces }, () => Buffer.alloc(piece, 97))),
  stderr: Readable.from([]),
});

const untold = new AbortController().signal;

describe('the output of a container', () => {
  it('reaches a reader whole that begins to read long after the job', async () => {
    const { child, ended } = deliverInChild(24);
    await sleep(1500);
    let bytes = 0;
    child.stdout.on('data', (data: Buffer) => (bytes += data.length));
    await once(child.stdout, 'end');
    expect([bytes, (await ended)[0]]).toEqual([24 * piece, 7]);
  });

  it('does not hold its process when the reader has gone', async () => {
    const { child, ended } = deliverInChild(24);
    child.stdout.destroy();
    expect((await ended)[0]).toBe(7);
  });

  it('is not taken before its reader has room, as long as the job runs', async () => {
    const output = outputOf(50);
    let taken = 0;
    output.stdout.on('data', () => (taken += 1)).pause();
    new OutputDelivery(unreadTargets()).begin(output);
    await sleep(100);
    expect(taken).toBeLessThan(10);
  });

  it('is taken from the engine without waiting for the reader once the job is over', async () => {
    const targets = unreadTargets();
    const delivery = new OutputDelivery(targets);
    delivery.begin(outputOf(50));
    await delivery.takeRest();
    let bytes = 0;
    targets.stdout.on('data', (data: Buffer) => (bytes += data.length));
    await delivery.finish({ standStillMs: 5000, toldMs: 5000, told: untold });
    expect(bytes).toBe(50 * piece);
  });

  it('is given up beyond 16 MiB for a slow reader of a job that is over, and the reader is told', async () => {
    const targets = unreadTargets();
    const delivery = new OutputDelivery(targets);
    delivery.begin(outputOf(320));
    await delivery.takeRest();
    let bytes = 0;
    targets.stdout.on('data', (data: Buffer) => (bytes += data.length));
    await delivery.finish({ standStillMs: 5000, toldMs: 5000, told: untold });
    expect(bytes).toBeGreaterThan(16 * 1024 * 1024 - piece);
    expect(String(targets.stderr.read())).toContain(
      `the last ${320 * piece - bytes} bytes of the output were discarded`,
    );
  });

  it('is waited for while the reader moves, and given up when it stands still', async () => {
    const targets = unreadTargets();
    const delivery = new OutputDelivery(targets);
    delivery.begin(outputOf(6));
    await delivery.takeRest();
    const startedAt = performance.now();
    const finished = delivery.finish({ standStillMs: 1000, toldMs: 1000, told: untold });
    for (let read = 0; read < 3; read += 1) {
      await sleep(600);
      targets.stdout.read(piece);
    }
    await finished;
    expect(performance.now() - startedAt).toBeGreaterThan(2500);
  });

  it('is given up sooner by a process that was told to end', async () => {
    const delivery = new OutputDelivery(unreadTargets());
    delivery.begin(outputOf(6));
    await delivery.takeRest();
    const startedAt = performance.now();
    await delivery.finish({ standStillMs: 20_000, toldMs: 300, told: AbortSignal.abort() });
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });
});
