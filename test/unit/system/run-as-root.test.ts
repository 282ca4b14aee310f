import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runAsRoot } from '../../../src/system/run-as-root.ts';

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'run-as-root-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Ends by the signal at its first calls, and says how often it was called. */
const script = 'echo >>"$1"; calls=$(wc -l <"$1"); if [ "$calls" -le "$3" ]; then kill -s "$2" $$; fi; echo "$calls"';
const call = (signal: string, times: number): readonly string[] => [
  ...['-c', script, 'sh', join(directory, 'calls')],
  ...[signal, String(times)],
];

it.each(['USR1', 'USR2'])('runs a program again that a signal SIG%s to the job has ended', async (signal) => {
  expect(await runAsRoot('/bin/sh', call(signal, 3))).toMatchObject({ failed: false, stdout: '4' });
});

it('does not run it for ever', async () => {
  expect(await runAsRoot('/bin/sh', call('USR2', 100))).toMatchObject({ failed: true, signal: 'SIGUSR2' });
  expect(readFileSync(join(directory, 'calls'), 'utf8')).toHaveLength(20);
});

it.each([
  ['another signal', 'TERM', {}],
  ['one that stays in the group of the job', 'USR2', { detached: false }],
])('does not run again after %s', async (_, signal, options) => {
  expect(await runAsRoot('/bin/sh', call(signal, 3), options)).toMatchObject({ failed: true, signal: `SIG${signal}` });
  expect(readFileSync(join(directory, 'calls'), 'utf8')).toHaveLength(1);
});
