import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { expect, it, onTestFinished } from 'vitest';
import type { KnownProcess } from '../../../src/system/signal-process.ts';
import { isStill, readStart, readState, signalProcess } from '../../../src/system/signal-process.ts';

const uid = process.geteuid?.() ?? 0;

async function start(): Promise<{ readonly child: ChildProcess; readonly known: KnownProcess }> {
  const child = spawn('sleep', ['100'], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  return { child, known: { pid, since: readStart(`/proc/${pid}`) } };
}

it('kills the process that was looked at', async () => {
  const { child, known } = await start();
  const ended = once(child, 'exit');
  expect(signalProcess(known, { uid })).toBe(true);
  expect(await ended).toEqual([null, 'SIGKILL']);
  expect(signalProcess(known, { uid })).toBe(false);
  expect([isStill(known, uid), readStart(`/proc/${known.pid}`), readState(`/proc/${known.pid}`)]).toEqual([
    false,
    '',
    '',
  ]);
});

it.each<[string, (known: KnownProcess) => [KnownProcess, number]]>([
  ['another process that has its pid now', (known) => [{ ...known, since: String(Number(known.since) - 1) }, uid]],
  ['one that was not there when it was looked at', (known) => [{ ...known, since: '' }, uid]],
  ['one of another user', (known) => [known, uid + 1]],
])('spares %s', async (_, change) => {
  const { child, known } = await start();
  const [changed, owner] = change(known);
  expect(signalProcess(changed, { uid: owner })).toBe(false);
  expect([readState(`/proc/${known.pid}`), child.signalCode]).toEqual([expect.stringMatching(/^[RSD]$/), null]);
});

it('is the only hand of the helper that signals a process of another program', async () => {
  const files = (await readdir('src/helper', { recursive: true })).filter((name) => name.endsWith('.ts'));
  const texts = await Promise.all(files.map(async (name) => [name, await readFile(`src/helper/${name}`, 'utf8')]));
  expect(files.length).toBeGreaterThan(50);
  expect(texts.filter(([, text]) => (text ?? '').includes('process.kill(')).map(([name]) => name)).toEqual([]);
});
