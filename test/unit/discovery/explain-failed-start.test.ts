import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explainFailedStart, hintAtFault } from '../../../src/discovery/launch/explain-failed-start.ts';

let directory: string;
const put = (name: string, content: string | Uint8Array): void =>
  writeFileSync(join(directory, name), content, { mode: 0o755 });

/** The beginning of a program for another machine, or with another loader. */
function makeElf(machine: number, loader: string): Uint8Array {
  const elf = Buffer.alloc(512);
  elf.write('\u007fELF', 'latin1');
  elf.set([2, 1, 1], 4);
  elf.writeUInt16LE(machine, 18);
  elf.writeBigUInt64LE(64n, 32);
  elf.writeUInt16LE(56, 54);
  elf.writeUInt16LE(1, 56);
  elf.writeUInt32LE(3, 64);
  elf.writeBigUInt64LE(200n, 72);
  elf.writeBigUInt64LE(BigInt(loader.length + 1), 96);
  elf.write(`${loader}\0`, 200, 'latin1');
  return elf;
}

const own = process.arch === 'x64' ? 62 : 183;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'failed-start-'));
  put('crlf.sh', '#!/bin/sh\r\necho hello\r\n');
  put('fine.sh', '#!/bin/sh\necho hello\n');
  put('lost.sh', '#!/opt/none/python -u\n');
  put('other', makeElf(243, '/lib/ld-linux.so.1'));
  put('musl', makeElf(own, '/lib/ld-none.so.1'));
  put('broken', makeElf(own, '').subarray(0, 10));
  copyFileSync('/bin/true', join(directory, 'true'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const missing = Object.assign(new Error('spawn ENOENT'), { code: 'ENOENT' });

describe('a program that cannot be started', () => {
  it.each([
    ['crlf.sh', 127, 'it has Windows line ends (CR LF)'],
    ['lost.sh', 127, 'its interpreter "/opt/none/python" is not in the image'],
    ['musl', 127, 'its loader "/lib/ld-none.so.1" is not in the image'],
    ['none', 127, 'not found in the image'],
    ['echo hi', 127, 'write the words apart, without quotes around them all (-- '],
    ['echo hi | wc', 127, 'It is one word with blanks; for a line of a shell write: -- sh -c LINE'],
    [' none', 127, 'It is one word with blanks'],
    ['srun', 127, 'commands of the scheduler are not in containers: start the ranks with mpirun'],
    ['none\r', 127, 'the batch script has Windows line ends'],
    ['fine.sh', 127, 'it is there, but its interpreter is not'],
    ['broken', 127, 'it is there, but its interpreter is not'],
  ])('%j: status %i, %s', (name, exitStatus, reason) => {
    for (const [file, path] of [
      [join(directory, name), ''],
      [name, `/nowhere:${directory}`],
    ] as const) {
      const explained = explainFailedStart(file, missing, { PATH: path });
      expect(explained).toEqual({ exitStatus, reason: expect.stringContaining(reason) as string });
    }
  });

  it('is not looked at when it may not be executed', () => {
    const denied = Object.assign(new Error('spawn EACCES'), { code: 'EACCES' });
    expect(explainFailedStart(directory, denied, {})).toMatchObject({ exitStatus: 126 });
  });
});

describe('the hint at a fault of a command that has failed', () => {
  const hint = (argv: readonly string[], exitStatus: number): string | undefined =>
    hintAtFault({ kind: 'argv', argv: [...argv] }, { PATH: directory }, exitStatus);

  it.each([
    [['sh', 'crlf.sh'], 2, 'crlf.sh: it has Windows line ends'],
    [['mpirun', './fine.sh', 'crlf.sh'], 1, 'crlf.sh: it has Windows line ends'],
    [['other'], 2, 'other: it is a program for riscv64, and this host is'],
    [['mpirun', 'musl'], 127, 'musl: its loader'],
    [['sh', '-c', 'x', 'srun'], 127, 'srun: commands of the scheduler are not in containers'],
    [['mpirun', 'solver\r'], 127, 'the batch script has Windows line ends'],
  ])('%j with status %i', (argv, exitStatus, text) => {
    expect(hint(argv, exitStatus)).toContain(text);
  });

  it.each([
    [['python3', 'lost.sh'], 1],
    [['true', 'fine.sh', '', '/nowhere', '/dev/null', '/tmp'], 1],
    [['broken'], 126],
    [['grep', 'srun'], 1],
  ])('is not given for %j with status %i', (argv, exitStatus) => {
    expect(hint(argv, exitStatus)).toBeUndefined();
  });

  it('finds the words of a command line', () => {
    const text = `cd . && "${directory}/crlf.sh" -x > out`;
    expect(hintAtFault({ kind: 'shell', text }, {}, 127)).toContain('Windows line ends');
  });
});
