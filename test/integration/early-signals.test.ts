/** Signals that mean a job's command, sent to each program of ours from its first moment on: real Node, real wrappers. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bootText } from '../../scripts/boot-text.ts';
import { runtimeOptions } from '../../src/contract/container-paths.ts';
import type { HeldInstallation } from '../support/held-installation.ts';
import { holdInstallation } from '../support/held-installation.ts';

const root = path.join(import.meta.dirname, '../..');
const prefix = '/opt/hpc-submit-dockerjob';
const packageDirectory = `${prefix}/lib/node_modules/hpc-submit-dockerjob`;

/** Stands in a program's place: says what has come by its first line, then each signal that comes. */
const probe = `
const { takeEarlySignals } = require('${root}/src/system/early-signals.ts');
console.log('up', ...takeEarlySignals(process.env));
for (const name of ['SIGUSR1', 'SIGUSR2']) process.on(name, () => console.log(name));
setTimeout(() => { console.log('through'); process.exit(0); }, 1200);
`;

let holder: HeldInstallation | undefined;
beforeAll(async () => {
  holder = await holdInstallation();
  for (const name of ['middleware', 'helper', 'agent', 'ssh-client']) {
    await write(`${packageDirectory}/dist/${name}.cjs`, bootText(name));
    await write(`${packageDirectory}/dist/${name}.bundle.cjs`, probe);
  }
});
afterAll(() => holder?.end());

function inside(...argv: readonly string[]): readonly string[] {
  return ['--target', String(holder?.pid), '--mount', '--', ...argv];
}

async function write(file: string, text: string): Promise<void> {
  await execa('nsenter', inside('sh', '-c', 'cat >"$1"', 'write', file), { input: text });
}

/** As containers start them, but with the libraries of this machine. */
function inRuntime(program: string): readonly string[] {
  const node = `${packageDirectory}/node_modules/node-linux-${process.arch}/bin/node`;
  return [node, ...runtimeOptions, `${packageDirectory}/dist/${program}.cjs`];
}

/** True while the process can bear SIGUSR1: it is ignored, caught or blocked. */
function bears(pid: number): boolean {
  const masks = readFileSync(`/proc/${pid}/status`, 'utf8').matchAll(/^Sig(?:Blk|Ign|Cgt):\s*([0-9a-f]+)$/gm);
  return [...masks].some(([, mask]) => (BigInt(`0x${mask}`) & 0x200n) !== 0n);
}

async function endOf(child: ChildProcess): Promise<{ readonly said: string; readonly end: unknown }> {
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (bytes: Buffer) => (said += bytes.toString()));
  const [status, signal] = (await once(child, 'close')) as [unknown, unknown];
  return { said, end: signal ?? status };
}

describe('SIGUSR1 from the first moment on', () => {
  it.each<readonly [string, () => readonly string[], 'passed on' | 'unheard']>([
    ['hpc-submit-dockerjob', () => [`${prefix}/bin/hpc-submit-dockerjob`], 'passed on'],
    ['run-node', () => [`${prefix}/bin/hpc-dockerjob-helper`, 'run-node', '7', '0123456789abcdef'], 'passed on'],
    ['open-job', () => [`${prefix}/bin/hpc-dockerjob-helper`, 'open-job'], 'passed on'],
    ['check-host', () => [`${prefix}/bin/hpc-dockerjob-helper`, 'check-host'], 'passed on'],
    ['the agent', () => inRuntime('agent'), 'unheard'],
    ['the ssh of a job', () => inRuntime('ssh-client'), 'unheard'],
  ])('opens no debugger in %s and does not end it', async (_, argv, fate) => {
    const child = spawn('nsenter', inside(...argv()), { stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = endOf(child);
    const pid = child.pid!;
    // Not before the shell of the wrapper, or Node itself, has had its first line.
    while (child.exitCode === null && child.signalCode === null) {
      if (isOurs(pid) && bears(pid)) child.kill('SIGUSR1');
      await pause(1);
    }
    const { said, end } = await ended;
    expect(said).not.toContain('nspector');
    expect(end).toBe(0);
    expect(said).toMatch(/^up/);
    expect(said).toContain('through');
    expect(said.includes('SIGUSR1')).toBe(fate === 'passed on');
  });
});

/** nsenter itself has no part in this. */
function isOurs(pid: number): boolean {
  return !readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('nsenter');
}
