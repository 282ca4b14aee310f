/** What share/gridengine/control does to the processes of a job, run as the job's user as Grid Engine does. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

const share = new URL('../../share/gridengine/', import.meta.url);
const user = 65534;

let directory: string;
let jobs: ChildProcess[];

beforeAll(() => {
  if (process.getuid?.() !== 0) throw new Error('Acts as another user: this needs root.');
});
beforeEach(async () => {
  jobs = [];
  directory = await mkdtemp('/tmp/gridengine-control-');
  await chmod(directory, 0o755);
  await mkdir(`${directory}/share/gridengine`, { recursive: true });
  await mkdir(`${directory}/bin`);
  for (const name of ['control', 'find-helper'])
    await copyFile(new URL(name, share), `${directory}/share/gridengine/${name}`);
  // find-helper wants one; no job here has a container.
  await copyFile('/bin/true', `${directory}/bin/hpc-dockerjob-helper`);
});
afterEach(async () => {
  for (const { pid } of jobs) await execa('pkill', ['-KILL', '-s', String(pid)], { reject: false });
  await rm(directory, { recursive: true });
});

/** As sge_shepherd starts a job: its first process leads a session. */
function startJob(file: string, argv: readonly string[], uid: number): ChildProcess {
  const job = spawn(file, argv, { detached: true, uid, gid: uid, cwd: '/', stdio: 'ignore' });
  jobs.push(job);
  return job;
}

async function control(action: 'suspend' | 'resume' | 'terminate', pid: number | undefined): Promise<void> {
  const argv = ['-p', `${directory}/share/gridengine/control`, action, '1', 'undefined', String(pid)];
  await execa('/bin/sh', argv, { uid: user, gid: user, cwd: '/', stdin: 'ignore' });
}

/** State of every process of the session that belongs to the user, one letter each. */
async function statesOf(session: number | undefined): Promise<string> {
  const found = await execa('ps', ['-s', String(session), '-o', 'ruid=,stat='], { reject: false });
  const lines = found.stdout.split('\n').map((line) => line.trim().split(/\s+/));
  return lines
    .filter(([uid]) => uid === String(user))
    .map(([, state = '']) => state[0])
    .join('');
}

describe('suspend and resume', () => {
  it('reach all that the user runs', async () => {
    const { pid } = startJob('/bin/sh', ['-c', 'sleep 60; true'], user);
    await vi.waitFor(async () => expect(await statesOf(pid)).toBe('SS'));
    await control('suspend', pid);
    await vi.waitFor(async () => expect(await statesOf(pid)).toBe('TT'));
    await control('resume', pid);
    await vi.waitFor(async () => expect(await statesOf(pid)).toBe('SS'));
  });

  it('reach what the user runs below a first process of root’s, as sudo is, and not that one', async () => {
    const { pid } = startJob('/bin/sh', ['-c', `setpriv --reuid ${user} --clear-groups sleep 60; true`], 0);
    await vi.waitFor(async () => expect(await statesOf(pid)).toBe('S'));
    await control('suspend', pid);
    await vi.waitFor(async () => expect(await statesOf(pid)).toBe('T'));
    expect(await readFile(`/proc/${pid}/stat`, 'utf8')).toMatch(/\) S /);
  });
});

describe('terminate', () => {
  it('kills what the user runs below a first process of root’s', async () => {
    const { pid } = startJob('/bin/sh', ['-c', `setpriv --reuid ${user} --clear-groups sleep 60; sleep 60`], 0);
    await vi.waitFor(async () => expect(await statesOf(pid)).toBe('S'));
    await control('terminate', pid);
    await vi.waitFor(async () => expect(await statesOf(pid)).toBe(''));
    await pause(100);
    expect(await readFile(`/proc/${pid}/stat`, 'utf8')).toMatch(/\) S /);
  });
});
