import { chmod, chown, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkPrograms } from '../../../src/config/check-programs.ts';

/** Two directories that are root's alone, `squeue` in the second: these tests run as root, like the helper. */
let root: string;

beforeEach(async () => {
  if (process.getuid?.() !== 0) throw new Error('These tests give files to other users and must run as root.');
  root = await mkdtemp(join(homedir(), 'programs-'));
  for (const directory of ['first', 'second']) await mkdir(join(root, directory));
  await writeProgram('second/squeue');
});
afterEach(() => rm(root, { recursive: true, force: true }));

const at = (path: string): string => join(root, path);
const check = (...names: readonly string[]): Promise<void> => checkPrograms(`${at('first')}:${at('second')}`, names);

async function writeProgram(path: string): Promise<void> {
  await writeFile(at(path), '#!/bin/sh\n');
  await chmod(at(path), 0o755);
}

describe('programs that root runs', () => {
  it('are taken when they are root’s, and when they are nowhere', async () => {
    await symlink('squeue', at('second/squeue-22'));
    await expect(check('squeue', 'squeue-22', 'nft')).resolves.toBeUndefined();
  });

  it.each<[string, string, () => Promise<void>]>([
    ['is another user’s', 'second/squeue is owned by uid 2001', () => chown(at('second/squeue'), 2001, 0)],
    ['its group may write to', 'second/squeue may be written to by its group', () => chmod(at('second/squeue'), 0o775)],
    [
      'leads to a file of another user',
      'theirs is owned by uid 2001',
      async () => {
        await writeProgram('theirs');
        await chown(at('theirs'), 2001, 2001);
        await rm(at('second/squeue'));
        await symlink('../theirs', at('second/squeue'));
      },
    ],
    [
      'leads through a directory of another user',
      'theirs is owned by uid 2001',
      async () => {
        await mkdir(at('theirs'));
        await writeProgram('theirs/squeue');
        await chown(at('theirs'), 2001, 2001);
        await symlink(at('theirs/squeue'), at('first/squeue'));
      },
    ],
    [
      'stands before a good one',
      'first/squeue may be written to by everybody',
      async () => {
        await writeProgram('first/squeue');
        await chmod(at('first/squeue'), 0o757);
      },
    ],
    ['lies beside a directory that others may fill', 'first may be written to', () => chmod(at('first'), 0o777)],
    ['lies behind a directory that could be made', 'first cannot be read', () => rm(at('first'), { recursive: true })],
  ])('are refused when one %s', async (_, message, spoil) => {
    await spoil();
    await expect(check('squeue')).rejects.toMatchObject({
      code: 'CONFIG_UNTRUSTED',
      message: expect.stringContaining(message) as string,
    });
  });

  it('do not count when nobody asks for them', async () => {
    await chown(at('second/squeue'), 2001, 0);
    await expect(check('nft')).resolves.toBeUndefined();
  });
});
