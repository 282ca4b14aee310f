import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { asClause, asJobError, JobError } from '../../../src/values/errors.ts';

it.each([
  [new JobError({ code: 'BUG', message: 'Could not reach the store.' }), 'Could not reach the store'],
  [new Error('it broke'), 'it broke'],
  ['text. ', 'text'],
])('makes a part of a sentence of %j: without its period', (thrown, clause) => {
  expect(asClause(thrown)).toBe(clause);
});

describe('an error that nobody expected', () => {
  const answer = (code: string, syscall?: string): Error =>
    Object.assign(new Error(`${code}: it is so`), { code }, syscall === undefined ? {} : { syscall });

  it('says that the host has no room, where the kernel does', () => {
    let thrown: unknown;
    try {
      writeFileSync('/dev/full', 'x');
    } catch (error) {
      thrown = error;
    }
    expect(asJobError(thrown)).toMatchObject({
      code: 'HOST_UNFIT',
      exitStatus: 69,
      message: 'This host has no room left on a disk, or in /run or /tmp: ENOSPC: no space left on device, write.',
      cause: thrown,
    });
  });

  it.each([
    ['EROFS', 'open', 'cannot write'],
    ['EIO', 'read', 'disk that reports errors'],
    ['ENFILE', 'open', 'no open file left'],
    ['EAGAIN', 'spawn /bin/ip', 'no process left'],
    ['ENOMEM', 'spawn', 'no memory left'],
  ])('names what %s of %s means', (code, syscall, words) => {
    expect(asJobError(answer(code, syscall))).toMatchObject({
      code: 'HOST_UNFIT',
      message: expect.stringContaining(words) as string,
    });
  });

  it.each([
    ['ENOSPC', undefined],
    ['ENOSPC', 'watch'],
    ['EAGAIN', 'read'],
    ['ENOENT', 'open'],
    ['toString', 'open'],
  ])('is a bug of ours otherwise: %s of %s', (code, syscall) => {
    expect(asJobError(answer(code, syscall)).code).toBe('BUG');
  });

  it('is a bug of ours when a program is missing that is ours to bring', async () => {
    const [error] = (await once(spawn('/nonexistent'), 'error').catch((thrown: unknown) => [thrown])) as [unknown];
    expect(asJobError(error).code).toBe('BUG');
  });
});
