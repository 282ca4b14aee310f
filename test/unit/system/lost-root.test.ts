import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findLostRoot } from '../../../src/system/lost-root.ts';

function fake(status: string, map: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'self-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'status'), `Name:\tnode\n${status}\nThreads:\t9\n`);
  writeFileSync(join(directory, 'uid_map'), map);
  return directory;
}

const whole = '         0          0 4294967295\n';

describe('a call that cannot become root', () => {
  it.each([
    ['TracerPid:\t17', whole, 'under a debugger (strace, gdb), so sudo cannot start its helper'],
    ['NoNewPrivs:\t1', whole, 'where no program may gain rights'],
    ['NoNewPrivs:\t0', '         0       2001          1\n', 'in a user namespace'],
    ['NoNewPrivs:\t0', '      2001       2001          1\n', 'in a user namespace'],
  ])('says so: %j %j', (status, map, words) => {
    expect(findLostRoot(fake(status, map))).toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining(words) as string,
    });
  });

  it.each([
    ['on a host', whole],
    ['on a host that is a container', '         0     100000      65536\n'],
    ['on a kernel without user namespaces', ''],
  ])('is none %s', (_, map) => expect(findLostRoot(fake('TracerPid:\t0\nNoNewPrivs:\t0', map))).toBeUndefined());

  it('is none where nothing can be read', () => expect(findLostRoot('/nonexistent')).toBeUndefined());

  it('is seen by a program that really may gain no privileges', async () => {
    const file = join(import.meta.dirname, '../../../src/system/lost-root.ts');
    const program = `import(${JSON.stringify(file)}).then(({ findLostRoot }) => console.log(findLostRoot()?.message))`;
    const { stdout } = await execa('setpriv', [
      '--no-new-privs',
      process.execPath,
      '--input-type=module',
      '-e',
      program,
    ]);
    expect(stdout).toContain('no new privileges');
  });
});
