import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startStandin } from '../../support/lsf-standin.ts';
import type { Standin } from '../../support/lsf-standin.ts';

const program = fileURLToPath(new URL('../../../lab/lsf/standin.ts', import.meta.url));

let lsf: Standin;
let ibm: Standin;
beforeAll(async () => {
  [lsf, ibm] = await Promise.all([startStandin(), startStandin({ conf: 'STANDIN_LIKE=ibm' })]);
});
afterAll(async () => {
  await lsf[Symbol.asyncDispose]();
  await ibm[Symbol.asyncDispose]();
});

describe('lsrun', () => {
  it('always exits 0', async () => {
    expect(await lsf.run('lsrun', ['-m', 'node2', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7'])).toEqual({
      ...{ exitCode: 0, stdout: 'out\n', stderr: 'err\n' },
    });
  });

  it('runs with the environment of the caller and what the recorded system adds', async () => {
    const { stdout } = await lsf.run('lsrun', ['-m', 'node2', 'env'], { env: { MINE: 'a  b', LSB_JOBID: '7' } });
    for (const entry of [
      'MINE=a  b',
      'LSB_JOBID=7',
      'LSF_FROM_HOST=node1',
      'LSF_PM_TASKID=1',
      'LSF_EAUTH_SERVER=res',
      'HOSTNAME=node2',
      'LSB_SUB_HOST=node1',
    ])
      expect(stdout.split('\n')).toContain(entry);
    expect(stdout).toMatch(/^LS_JOBPID=\d+$/m);
  });

  it('starts a task per entry of the list with -p', async () => {
    const argv = ['-p', '-m', 'node3 node1 node3', '--', 'sh', '-c', 'echo $HOSTNAME'];
    expect((await lsf.run('lsrun', argv)).stdout.trim().split('\n').sort()).toEqual(['node1', 'node3', 'node3']);
  });

  it('passes its standard input on', async () => {
    expect((await lsf.run('lsrun', ['-m', 'node2', 'cat'], { input: 'typed' })).stdout).toBe('typed');
  });

  it('takes options of the command for its own without --', async () => {
    const { stderr } = await lsf.run('lsrun', ['-m', 'node2', 'ls', '-a']);
    expect(stderr).toMatch(/^lsrun: invalid option -- 'a'\n/);
  });

  it('splits words again under LSF_JOB_STARTER', async () => {
    const env = { LSF_JOB_STARTER: '/usr/bin/env' };
    const { stdout } = await lsf.run('lsrun', ['-m', 'node2', '--', 'printf', '[%s]', 'a  b'], { env });
    expect(stdout).toBe('[a][b]');
  });

  it('ends its task when it is ended, but not a task in a session of its own', async () => {
    const child = execa(
      process.execPath,
      [program, 'lsrun', '-m', 'node2', '--', 'sh', '-c', 'setsid sleep 3 & echo $!; exec sleep 77'],
      {
        ...{ cwd: lsf.home, env: lsf.env, extendEnv: false, reject: false },
      },
    );
    const pid = await new Promise<number>((resolve) =>
      child.stdout.once('data', (data: Buffer) => resolve(Number(String(data)))),
    );
    child.kill('SIGKILL');
    await child;
    await new Promise((resolve) => setTimeout(resolve, 700));
    const { stdout } = await execa('ps', ['-eo', 'args']);
    expect(stdout.split('\n')).not.toContain('sleep 77');
    expect(() => process.kill(pid, 0)).not.toThrow();
    process.kill(pid, 'SIGKILL');
  });

  it('is stopped, resumed and ended with the job that runs it', async () => {
    // No shell: bash itself loses an INT that comes while its trap for CONT runs.
    await lsf.writeProgram(
      `${lsf.home}/remote.sh`,
      `#!${process.execPath}
const note = (text) => require('node:fs').appendFileSync('remote.txt', text + '\\n');
for (const name of ['TSTP', 'CONT']) process.on('SIG' + name, () => note(name));
setInterval(() => undefined, 1000);
note('ready');
`,
    );
    const command = `${process.execPath} ${program} lsrun -m node2 ./remote.sh`;
    const id = await lsf.submit(['-n', '2', '-o', 'lsrun.out', command]);
    await lsf.awaitFile('remote.txt', /ready/);
    await lsf.run('bstop', [String(id)]);
    await lsf.awaitFile('remote.txt', /TSTP/);
    await lsf.run('bresume', [String(id)]);
    await lsf.awaitFile('remote.txt', /CONT/);
    await lsf.run('bkill', [String(id)]);
    await lsf.awaitStatus(id, 'EXIT', 'DONE');
  });

  it.each(['INT', 'TERM', 'HUP', 'USR1', 'USR2'])(
    'ends of %s with 143, and takes a task that ignores all signals along at once',
    async (signal) => {
      const mark = `standin-deaf-${signal}`;
      const task = `trap '' INT TERM HUP USR1 USR2; echo ready; while :; do sleep 0.1; : ${mark}; done`;
      const argv = [program, 'lsrun', '-m', 'node2', '--', 'sh', '-c', task];
      const child = execa(process.execPath, argv, {
        ...{ cwd: lsf.home, env: lsf.env, extendEnv: false, reject: false },
      });
      await once(child.stdout, 'data');
      child.kill(`SIG${signal}` as NodeJS.Signals);
      expect((await child).signal).toBe('SIGTERM');
      await expect.poll(async () => (await execa('ps', ['-eo', 'args'])).stdout.includes(`: ${mark};`)).toBe(false);
    },
  );

  it('takes a deaf task along a second after it was killed itself', async () => {
    const task = "trap '' INT TERM HUP; echo ready; while :; do sleep 0.1; : standin-deaf-KILL; done";
    const argv = [program, 'lsrun', '-m', 'node2', '--', 'sh', '-c', task];
    const child = execa(process.execPath, argv, {
      ...{ cwd: lsf.home, env: lsf.env, extendEnv: false, reject: false },
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await child;
    const isThere = async () => (await execa('ps', ['-eo', 'args'])).stdout.includes(': standin-deaf-KILL;');
    expect(await isThere()).toBe(true);
    await expect.poll(isThere, { timeout: 4000 }).toBe(false);
  });
});

describe('blaunch', () => {
  it('is not there unless the stand-in is like the one that has it', async () => {
    expect((await lsf.run('blaunch', ['true'])).exitCode).toBe(255);
  });

  it('starts a task per slot of the job and tells the first status that is not 0', async () => {
    const blaunch = `${process.execPath} ${program} blaunch`;
    await ibm.submit([
      '-n',
      '3',
      '-R',
      'span[ptile=1]',
      '-o',
      'blaunch.out',
      `${blaunch} sh -c 'echo on $HOSTNAME'; ${blaunch} -z "$(head -1 $LSB_DJOB_HOSTFILE)" sh -c 'exit 5'; echo status $?`,
    ]);
    const output = await ibm.awaitFile('blaunch.out', /status \d+\n/);
    expect(output.match(/^on node\d$/gm)?.sort()).toEqual(['on node1', 'on node2', 'on node3']);
    expect(output).toContain('\nstatus 5\n');
  });

  it('starts nothing on a host of which the job has no slot', async () => {
    const command = `${process.execPath} ${program} blaunch -z "node1 node2 node3" hostname`;
    await ibm.submit(['-n', '1', '-o', 'foreign.out', command]);
    expect(await ibm.awaitFile('foreign.out', /Host is not/)).toContain('exit code 255');
  });
});
