/** All that lives through sudo and exec, set by a caller to something hostile, and what is left of it in the helper. */
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HeldInstallation } from '../support/held-installation.ts';
import { holdInstallation } from '../support/held-installation.ts';

const root = path.join(import.meta.dirname, '../..');
const prefix = '/opt/hpc-submit-dockerjob';
const helper = `${prefix}/bin/hpc-dockerjob-helper`;
const probe = `${prefix}/lib/node_modules/hpc-submit-dockerjob/dist/helper.cjs`;

let holder: HeldInstallation | undefined;

/** Stands in the helper's place: sheds as the helper does, and then says what it is left with. */
const probeText = `
const { existsSync, readFileSync, readdirSync, readlinkSync } = require('node:fs');
require('${root}/src/helper/shed-inheritance.ts').shedInheritance();
while (existsSync('/opt/busy') && process.cpuUsage().user < 700_000);
const read = (name) => readFileSync('/proc/self/' + name, 'utf8');
setTimeout(() => {
  const stat = read('stat').replace(/^.*\\) /, '').split(' ');
  const status = Object.fromEntries(read('status').trim().split('\\n').map((line) => line.split(/:\\s*/)));
  const limits = Object.fromEntries(read('limits').trim().split('\\n').slice(1).map((line) => [line.slice(0, 26).trim(), line.slice(26).split(/\\s+/)[0]]));
  console.log(JSON.stringify({
    limits, groups: status.Groups.trim(), ignored: status.SigIgn, blocked: status.SigBlk, umask: status.Umask,
    seccomp: status.Seccomp, noNewPrivs: status.NoNewPrivs, nice: stat[16], policy: stat[38], cwd: process.cwd(),
    oomScoreAdj: read('oom_score_adj').trim(), timerSlackNs: read('timerslack_ns').trim(),
    io: require('node:child_process').execFileSync('/usr/bin/ionice', ['-p', String(process.pid)]).toString().trim(),
    personality: read('personality').trim(), environment: Object.keys(process.env).sort(),
    files: readdirSync('/proc/self/fd').map((fd) => { try { return readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } }).filter((to) => to.startsWith('/') && !to.startsWith('/dev/') && !to.startsWith('/proc/') && !to.startsWith('/run/hpc-dockerjob-slots/')),
  }));
}, existsSync('/opt/busy') ? 3000 : 0);
`;

beforeAll(async () => {
  holder = await holdInstallation();
  const { exitCode, stderr } = await inside(`${prefix}/bin/hpc-dockerjob-setup`, '--unattended');
  if (exitCode !== 0) throw new Error(stderr);
  await inside('sh', '-c', 'cat >"$1"', 'write', probe);
});
afterAll(() => holder?.end());

async function inside(
  ...argv: readonly string[]
): Promise<{ stdout: string; stderr: string; exitCode: number | undefined }> {
  const entered = ['--target', String(holder?.pid), '--mount', '--', ...argv];
  const { stdout, stderr, exitCode } = await execa('nsenter', entered, {
    ...{ reject: false, timeout: 60_000, input: argv.includes(probe) ? probeText : '' },
  });
  return { stdout, stderr, exitCode };
}

interface Left {
  readonly limits: Readonly<Record<string, string>>;
  readonly [name: string]: unknown;
}

/** What is left in the helper of a call by a user who has prepared it with these words, which end in a command to run. */
async function leftOf(
  prepared: readonly string[],
  { groups = '--clear-groups', sudo = [] as readonly string[] } = {},
): Promise<Left> {
  const user = ['setpriv', '--reuid=65534', '--regid=65534', groups, '--'];
  const { stdout, stderr } = await inside(...user, ...prepared, 'sudo', '-n', ...sudo, '--', helper, 'open-job');
  if (stdout === '') throw new Error(`The helper was not reached, or has not lived to its end: ${stderr}`);
  return JSON.parse(stdout) as Left;
}

const perl = (code: string): readonly string[] => ['perl', '-e', `${code}; exec @ARGV or die $!`, '--'];
const sh = (code: string): readonly string[] => ['sh', '-c', `${code}; exec "$@"`, 'prepared'];
const unlimited = 'unlimited';

describe('of what a caller leaves to it, the helper has', () => {
  it.each<readonly [string, readonly string[], Readonly<Record<string, unknown>>]>([
    [
      'no small limits',
      ['prlimit', '--fsize=100:', '--cpu=5:', '--core=1000:', '--rss=1000000:', '--'],
      {
        limits: expect.objectContaining({
          'Max file size': unlimited,
          'Max cpu time': unlimited,
          'Max core file size': '0',
          'Max resident set': unlimited,
        }),
      },
    ],
    [
      'enough files, and no small stack',
      ['prlimit', '--nofile=64:', '--stack=1000000:', '--'],
      {
        limits: expect.objectContaining({
          'Max open files': expect.stringMatching(/^\d{4,}$/) as unknown,
          'Max stack size': String(8192 * 1024),
        }),
      },
    ],
    [
      'no signal ignored that could tell it to end',
      perl('$SIG{$_} = "IGNORE" for qw(TERM HUP INT CHLD ALRM USR1 QUIT)'),
      { ignored: expect.stringMatching(/^0{9}1001000$/) },
    ],
    [
      'no signal blocked',
      perl('use POSIX; sigprocmask(SIG_BLOCK, POSIX::SigSet->new(1..31))'),
      { blocked: `${'0'.repeat(13)}200` }, // SIGUSR1, by Node's own option
    ],
    ['the usual niceness and policy', ['nice', '-n', '19', 'chrt', '--idle', '0'], { nice: '0', policy: '0' }],
    ['the policy of no batch job', ['chrt', '--batch', '0'], { policy: '0' }],
    [
      'the usual class of input and output',
      ['ionice', '-c', '3'],
      { io: expect.stringMatching(/^(?:none|best-effort): prio [04]$/) },
    ],
    ['no wish to be killed first', ['choom', '-n', '1000', '--'], { oomScoreAdj: '0' }],
    ['timers that come in time', perl('syscall(157, 29, 60_000_000_000)'), { timerSlackNs: '50000' }],
    ['the usual umask', sh('umask 0'), { umask: '0022' }],
    ['a directory that is there', sh('d=$(mktemp -d) && cd "$d" && rmdir "$d"'), { cwd: '/' }],
    ['none of the caller’s files open', sh('exec 3</etc/passwd 7<&3 9</etc/hosts'), { files: [] }],
    [
      'nothing of the environment but who has called',
      ['env', 'LD_PRELOAD=/x', 'NODE_OPTIONS=--x', 'BASH_ENV=/x', 'TZ=/x', 'LC_ALL=xx'],
      { environment: ['HPCDJ_HELPER', 'LC_ALL', 'PATH', 'SUDO_UID'] },
    ],
    ['its addresses as random as ever', ['setarch', '--addr-no-randomize'], { personality: '00000000' }],
    ['its own kind of host', ['setarch', 'linux32', '--'], {}],
  ])('%s', async (_, prepared, left) => {
    expect(await leftOf(prepared)).toMatchObject({ seccomp: '0', noNewPrivs: '0', ...left });
  });

  it('outlived an alarm and timers of its own running time', async () => {
    await inside('touch', '/opt/busy'); // it then works for a while, and lives for three seconds
    const timers = perl('use Time::HiRes; alarm 3; Time::HiRes::setitimer($_, 0.5, 0.5) for 1, 2');
    expect(await leftOf(timers)).toMatchObject({ policy: '0' });
    await inside('rm', '/opt/busy');
  });

  it('no group of the caller’s, although sudo was asked to keep them', async () => {
    expect(await leftOf([], { groups: '--groups=4,20,65534', sudo: ['-P'] })).toMatchObject({ groups: '' });
  });

  it('nothing at all behind a filter of system calls: sudo then gets no rights', async () => {
    await expect(leftOf(['setpriv', '--no-new-privs', '--'])).rejects.toThrow(/no new privileges/);
  });

  it('for run-node a lower priority while it waits for its plan, whatever the caller’s', async () => {
    const call = [
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      '--',
      'nice',
      '-n',
      '5',
      'sudo',
      '-n',
      '--',
    ];
    const { stdout } = await inside(...call, helper, 'run-node', '7', '0123456789abcdef');
    expect(JSON.parse(stdout)).toMatchObject({ nice: '10', policy: '0' });
  });
});
