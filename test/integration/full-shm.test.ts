/** The remark on a bus error, on shared memory of a few megabytes. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { watchShm } from '../../src/discovery/launch/note-full-shm.ts';

const busError = 135;
const directory = mkdtempSync(path.join(tmpdir(), 'hpcdj-shm-'));
const segment = path.join(directory, 'segment');

beforeAll(() => void execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'shm', directory]));
afterAll(() => {
  execFileSync('umount', [directory]);
  rmSync(directory, { recursive: true });
});

function fill(): void {
  try {
    writeFileSync(segment, Buffer.alloc(8 * 1024 ** 2, 1));
  } catch {
    // full, as it shall be
  }
}

test('says nothing while there is room, and nothing of another end', () => {
  using shm = watchShm(directory);
  expect(shm.explain(busError)).toBeUndefined();
  fill();
  expect([0, 1, 137, 139].map((status) => shm.explain(status))).toEqual([undefined, undefined, undefined, undefined]);
  rmSync(segment);
});

test('names the size and the option when shared memory is full at the end', () => {
  using shm = watchShm(directory);
  fill();
  expect(shm.explain(busError)).toMatch(/was full: it has 4 MiB\. Ask for more with --shm-size SIZE or SHM_SIZE/);
  rmSync(segment);
});

test('remembers shared memory that was full a moment ago', async () => {
  using shm = watchShm(directory);
  fill();
  await pause(2500);
  rmSync(segment);
  expect(shm.explain(busError)).toContain('was full');
});
