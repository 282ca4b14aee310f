import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRegularFile, readRegularFileSync } from '../../../src/system/read-regular-file.ts';
import type { FileBound } from '../../../src/system/read-regular-file.ts';

let directory = '';
const mebibyte = 1024 ** 2;
const bound = { mostBytes: mebibyte };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'read-regular-file-'));
  await writeFile(join(directory, 'short'), 'text\n');
  await writeFile(join(directory, 'long'), Buffer.alloc(mebibyte + 1, 'x'));
  await writeFile(join(directory, 'empty'), '');
  execFileSync('mkfifo', [join(directory, 'pipe')]);
});

afterAll(async () => await rm(directory, { recursive: true }));

describe.each([
  ['at once', async (path: string, of: FileBound) => await Promise.resolve().then(() => readRegularFileSync(path, of))],
  ['waiting', readRegularFile],
])('a regular file, read %s,', (_, read) => {
  const at = (name: string, of: FileBound = bound): Promise<Buffer> => read(join(directory, name), of);

  it('gives its bytes', async () => {
    expect(String(await at('short'))).toBe('text\n');
    expect(String(await at('empty'))).toBe('');
  });

  it('is refused, or cut, when it is longer', async () => {
    await expect(at('long')).rejects.toThrow('it is longer than 1 MiB');
    expect(String(await at('long', { mostBytes: 4, longer: 'cut' }))).toBe('xxxx');
    expect((await at('long', { mostBytes: mebibyte + 1 })).length).toBe(mebibyte + 1);
  });

  it.each(['pipe', '.', '/dev/zero'])('is not %s, and that is said at once', async (name) => {
    const path = name.startsWith('/') ? name : join(directory, name);
    await expect(read(path, { mostBytes: 4, longer: 'cut' })).rejects.toThrow('it is not a regular file');
  });

  it('that is not there fails with the reason of the system', async () => {
    await expect(at('none')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
