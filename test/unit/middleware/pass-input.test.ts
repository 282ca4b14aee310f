import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openInput } from '../../../src/discovery/launch/open-input.ts';
import { passInput } from '../../../src/middleware/pass-input.ts';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pass-input-'));
  path = join(directory, 'input');
  await execa('mkfifo', [path]);
});
afterEach(() => rmSync(directory, { recursive: true }));

const never = new AbortController().signal;
const neverFails = (reason: string): never => {
  throw new Error(reason);
};

/** A command as the agent starts it. */
async function run(file: string, ...argv: readonly string[]): Promise<string> {
  const input = await openInput(path, never, 10_000);
  const child = spawn(file, argv, { stdio: [input.fd, 'pipe', 'inherit'] });
  const output = text(child.stdout!); // at once: what nobody reads goes when the child ends
  await input.close();
  return (await output).trimEnd();
}

describe('the way of an input to its command', () => {
  it.each([0, 1, 65_536, 20_000_000])('brings %i bytes as they are, and their end', async (length) => {
    const bytes = randomBytes(length);
    using _passed = passInput(path, () => Readable.from([bytes]), neverFails);
    expect(await run('sha256sum')).toContain(createHash('sha256').update(bytes).digest('hex'));
  });

  it('may begin at either side', async () => {
    const output = run('cat');
    await new Promise((resolve) => setTimeout(resolve, 200));
    using _passed = passInput(path, () => Readable.from([Buffer.from('late\n')]), neverFails);
    expect(await output).toBe('late');
  });

  it('takes nothing before the command is there', async () => {
    let isOpened = false;
    using _passed = passInput(path, () => ((isOpened = true), Readable.from(['x'])), neverFails);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(isOpened).toBe(false);
  });

  it('ends quietly, with its source, when the command reads no more', async () => {
    const source = new PassThrough();
    const refill = (): void => void source.write('y\n'.repeat(50_000));
    source.on('drain', refill);
    refill();
    using _passed = passInput(path, () => source, neverFails);
    expect(await run('head', '-n', '1')).toBe('y');
    await expect.poll(() => source.destroyed).toBe(true);
  });

  it('ends with its owner although the command never reads', async () => {
    const source = Readable.from([Buffer.alloc(1_000_000)]);
    const passed = passInput(path, () => source, neverFails);
    const reader = await openInput(path, never, 10_000);
    passed[Symbol.dispose]();
    await expect.poll(() => source.destroyed).toBe(true);
    await reader.close();
  });

  it('says when the source breaks off', async () => {
    const failed = Promise.withResolvers<string>();
    const source = new PassThrough();
    source.write('half');
    using _passed = passInput(path, () => source, failed.resolve);
    const output = run('cat');
    await expect.poll(() => source.readableFlowing).toBe(true);
    source.destroy(new Error('EIO: i/o error, read'));
    expect(await failed.promise).toContain('EIO');
    await output;
  });

  it('says when there is no pipe', async () => {
    const failed = Promise.withResolvers<string>();
    using _passed = passInput(join(directory, 'none'), () => Readable.from(['x']), failed.resolve);
    expect(await failed.promise).toContain('ENOENT');
  });
});

describe('openInput', () => {
  it('gives up when its time is over, and leaves nobody waiting', async () => {
    await expect(openInput(path, never, 50)).rejects.toMatchObject({ code: 'NODE_LATE' });
  });

  it('gives up when the job is over', async () => {
    const over = new AbortController();
    const opening = openInput(path, over.signal, 10_000);
    over.abort(new Error('finish'));
    await expect(opening).rejects.toThrow('finish');
  });
});
