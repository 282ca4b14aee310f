import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

const cli = path.resolve(import.meta.dirname, '../../src/cli.ts');

function call(...argv: readonly string[]) {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', cli, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] },
  });
  let stderr = '';
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  return { child, ended: once(child, 'close').then(([status]: readonly unknown[]) => ({ status, stderr })) };
}

describe('the command line', () => {
  it.each([tmpdir(), `${tmpdir()}/nosuch/outcome`, ''])('refuses --json=%s before the job', async (file) => {
    const { child, ended } = call(`--json=${file}`, '--image', 'lab/mpi:1', '--', 'true');
    child.stdout.resume();
    expect(await ended).toEqual({
      status: 64,
      stderr: expect.stringContaining('no file can be written there') as string,
    });
  });

  it('says all to a slow reader, however long the reader takes', { timeout: 60_000 }, async () => {
    const site = path.join(await mkdtemp(path.join(tmpdir(), 'hpcdj-test-')), 'site.yaml');
    // More than fits into the pipe and the reader's own buffer.
    await writeFile(site, Array.from({ length: 9000 }, (_, index) => `unknownKey${index}: 1\n`).join(''));
    const child = spawn(process.execPath, [cli, 'config', 'check', site], { stdio: ['ignore', 'ignore', 'pipe'] });
    await once(child.stderr, 'readable');
    await sleep(7000); // longer than the process may be held by anything else
    const said = await text(child.stderr);
    await rm(path.dirname(site), { recursive: true });
    expect(said.length).toBeGreaterThan(600_000);
    expect(said.split('\n').filter((line) => line.includes('unknownKey'))).toHaveLength(9000);
  });
});
