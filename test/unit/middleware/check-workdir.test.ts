import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkWorkdir, currentDirectory } from '../../../src/middleware/check-workdir.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'check-workdir-'));
  writeFileSync(join(directory, 'file'), '');
  mkdirSync(join(directory, 'own'));
  chmodSync(join(directory, 'own'), 0o500);
});
afterAll(() => rmSync(directory, { recursive: true }));

describe('checkWorkdir', () => {
  it('takes a directory of the user whatever its mode is', async () => {
    await checkWorkdir(join(directory, 'own'), process.getuid?.() ?? -1);
  });

  it.each([
    ['none', 'does not exist'],
    ['file/below', 'cannot be used (ENOTDIR)'],
    ['file', 'is not a directory'],
  ])('refuses %s: it %s', async (name, reason) => {
    await expect(checkWorkdir(join(directory, name), process.getuid?.() ?? -1)).rejects.toMatchObject({
      code: 'WORKDIR_UNUSABLE',
      message: `The working directory ${join(directory, name)} ${reason}.`,
    });
  });
});

describe('currentDirectory', () => {
  it('is where the program was called', () => {
    expect(currentDirectory()).toBe(process.cwd());
  });

  it('is no fault of this program when it is gone', () => {
    const gone = (): never => {
      throw Object.assign(new Error('ENOENT: no such file or directory, uv_cwd'), { code: 'ENOENT' });
    };
    expect(() => currentDirectory(gone)).toThrow(expect.objectContaining({ code: 'WORKDIR_UNUSABLE' }) as Error);
  });
});
