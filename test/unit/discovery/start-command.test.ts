import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProcessGroup } from '../../../src/discovery/launch/process-group.ts';
import { startCommand } from '../../../src/discovery/launch/start-command.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'start-command-'));
  writeFileSync(join(directory, 'plain'), 'text\n');
});
afterAll(() => rmSync(directory, { recursive: true }));

/** One word of an argument list has 128 KiB at most. */
const tooLong = 'x'.repeat(128 * 1024);

describe('startCommand', () => {
  it.each([
    ['is not there', () => [join(directory, 'none')], 127],
    ['lies below a file', () => [join(directory, 'plain/none')], 127],
    ['is not executable', () => [join(directory, 'plain')], 126],
    ['has a word that is too long', () => ['/bin/true', tooLong], 126],
  ])('ends a command that %s with the status of a shell', async (_, argv, expected) => {
    const { started, ended } = startCommand({ kind: 'argv', argv: argv() }, {});
    expect(await started).toBe(false);
    expect(await ended).toBe(expected);
  });

  it('ends with 128 and the number of the signal', async () => {
    const { group, started, ended } = startCommand({ kind: 'argv', argv: ['/bin/sleep', '60'] }, {});
    expect(await started).toBe(true);
    group.signal('SIGTERM');
    expect(await ended).toBe(128 + 15);
  });
});

describe('ProcessGroup', () => {
  it('tells by the event, with streams that have ended, what could not be started at all', async () => {
    const group = new ProcessGroup('/bin/sh', ['-c', tooLong], { stdio: 'pipe' });
    const { stdin, stdout, stderr } = group.child;
    expect([stdin?.destroyed, stdout?.destroyed, stderr?.destroyed]).toEqual([true, true, true]);
    expect(await once(group.child, 'error')).toMatchObject([{ code: 'E2BIG' }]);
    expect(group.isAlive).toBe(false);
    await group.end(1000);
  });
});
