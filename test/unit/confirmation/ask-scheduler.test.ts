import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { askScheduler } from '../../../src/confirmation/ask-scheduler.ts';

const scheduler = { name: 'lsf', label: 'LSF', command: 'bjobs', hint: 'Try again.' } as const;
const asking = new URL('../../../src/confirmation/ask-scheduler.ts', import.meta.url).href;

/** Holds a bjobs that repeats its question for ever, as the real one does while mbatchd is away. */
let directory: string;
let bjobs: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ask-scheduler-'));
  bjobs = join(directory, 'bjobs');
  await writeFile(bjobs, `#!/bin/sh\ntrap '' TERM\necho $$ >"${directory}/pid"\nsleep 60\n`);
  await chmod(bjobs, 0o755);
});
afterEach(() => rm(directory, { recursive: true }));

async function isRunning(): Promise<boolean> {
  const pid = (await readFile(join(directory, 'pid'), 'utf8')).trim();
  // Nobody waits for it, so it may be left as a zombie.
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z');
  return !status.includes(') Z');
}

it('waits no longer than it says', async () => {
  await expect(askScheduler(scheduler, '12', { file: bjobs, argv: [] }, 1)).rejects.toMatchObject({
    code: 'SCHEDULER_UNREACHABLE',
    message: expect.stringContaining('no answer within 1 s') as string,
  });
  expect(await isRunning()).toBe(false);
});

it('leaves no command behind when the process that has asked ends before', async () => {
  const program = `
    import { existsSync } from 'node:fs';
    import { askScheduler } from ${JSON.stringify(asking)};
    void askScheduler(${JSON.stringify(scheduler)}, '12', { file: ${JSON.stringify(bjobs)}, argv: [] }, 1);
    setInterval(() => existsSync(${JSON.stringify(join(directory, 'pid'))}) && process.exit(0), 20);`;
  await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]);
  await vi.waitFor(async () => expect(await isRunning()).toBe(false), { timeout: 5000, interval: 100 });
});
