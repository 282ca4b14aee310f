/** The settings of the schedulers; each check is seen to fail for its own reason. */
import { chmod, chown, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { readConfiguration } from '../../../src/lsf/configuration/read-configuration.ts';
import { checkCgroup as checkLsfCgroup } from '../../../src/lsf/doctor/check-cgroup.ts';
import { checkEsub as checkLsfEsub } from '../../../src/lsf/doctor/check-esub.ts';
import { checkHookUser as checkLsfHookUser } from '../../../src/lsf/doctor/check-hook-user.ts';
import { checkHooks as checkLsfHooks } from '../../../src/lsf/doctor/check-hooks.ts';
import { checkJobInfo as checkLsfJobInfo } from '../../../src/lsf/doctor/check-job-info.ts';
import { checkStopTime as checkLsfStopTime } from '../../../src/lsf/doctor/check-stop-time.ts';
import { checkCliFilter } from '../../../src/slurm/doctor/check-cli-filter.ts';
import { checkCgroup as checkSlurmCgroup } from '../../../src/slurm/doctor/check-cgroup.ts';
import { checkEpilog as checkSlurmEpilog } from '../../../src/slurm/doctor/check-epilog.ts';
import { checkKillWait as checkSlurmKillWait } from '../../../src/slurm/doctor/check-kill-wait.ts';
import { listSchedulerChecks } from '../../../src/middleware/doctor/list-scheduler-checks.ts';
import { knownSchedulers } from '../../../src/schedulers/known-schedulers.ts';
import { parseSettings, readSettings } from '../../../src/slurm/read-settings.ts';
import type { SlurmSettings } from '../../../src/slurm/read-settings.ts';
import type { Check, Finding } from '../../../src/contract/finding.ts';
import { runChecks } from '../../../src/system/run-checks.ts';

async function find(check: Check): Promise<Finding> {
  const [finding] = await runChecks([check], 5000);
  return finding!;
}

const kit = resolve('share/slurm');

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp('/root/doctor-');
});
afterEach(() => rm(directory, { recursive: true }));

describe('settings of Slurm', () => {
  const told = (text: string) => (): Promise<SlurmSettings> => Promise.resolve(parseSettings(text));

  it('are read as releases write them', () => {
    const text =
      'Configuration data as of …\nEpilog                  = (null)\nKillWait                = 30 sec\nProctrackType = a\n';
    expect([...parseSettings(text)]).toEqual([
      ['KillWait', '30 sec'],
      ['ProctrackType', 'a'],
    ]);
    expect(parseSettings('Epilog[0] = /a\nEpilog[1] = /b\n').get('Epilog')).toBe('/a');
  });

  it('are asked as root of no command that somebody else could change', async () => {
    await writeFile(`${directory}/scontrol`, '#!/bin/sh\necho "KillWait = 30 sec"\n');
    await chmod(`${directory}/scontrol`, 0o755);
    expect((await readSettings(directory)).get('KillWait')).toBe('30 sec');
    await chown(`${directory}/scontrol`, 65534, 65534);
    await expect(readSettings(directory)).rejects.toMatchObject({ code: 'CONFIG_UNTRUSTED' });
  });

  it.each([
    ['ProctrackType = proctrack/cgroup', true, 'ok'],
    ['ProctrackType = proctrack/linuxproc', true, 'fail'],
    ['ProctrackType = proctrack/linuxproc', false, 'ok'],
    ['', true, 'fail'],
  ])('%j, cgroup required: %s', async (text, isRequired, verdict) => {
    expect(await find(checkSlurmCgroup(told(text), isRequired))).toMatchObject({ check: 'slurm-cgroup', verdict });
  });

  it.each([
    ['30 sec', 'ok'],
    ['10 sec', 'warn'],
    ['', 'warn'],
  ])('KillWait %j against 10 s', async (wait, verdict) => {
    expect(await find(checkSlurmKillWait(told(`KillWait = ${wait}`), 10))).toMatchObject({ verdict });
  });

  it.each([
    ['releases jobs', '#!/bin/sh\nhelper release-node --scheduler-job 1\n', 0o755, 'ok'],
    ['calls ours', '#!/bin/sh\n/opt/x/share/slurm/epilog\n', 0o755, 'ok'],
    ['does something else', '#!/bin/sh\nexit 0\n', 0o755, 'warn'],
    ['can be changed by others', '#!/bin/sh\nrelease-node\n', 0o777, 'fail'],
    ['cannot be executed', '#!/bin/sh\nrelease-node\n', 0o644, 'fail'],
  ])('an epilog that %s', async (_, text, mode, verdict) => {
    await writeFile(`${directory}/epilog`, text);
    await chmod(`${directory}/epilog`, mode);
    expect(await find(checkSlurmEpilog(told(`Epilog = ${directory}/epilog`), kit))).toMatchObject({ verdict });
  });

  it.each(['Epilog = (null)', 'Epilog = /nonexistent/epilog'])('%s fails', async (text) => {
    expect(await find(checkSlurmEpilog(told(text), kit))).toMatchObject({ verdict: 'fail', code: 'HOST_UNFIT' });
  });

  it.each([
    ['a copy of this release', '', 'ok', 'releases jobs'],
    ['a copy of another release', '\n# older', 'warn', 'of another release'],
  ])('see %s of the epilog', async (_, more, verdict, words) => {
    await writeFile(`${directory}/epilog`, `${await readFile(`${kit}/epilog`, 'utf8')}${more}`, { mode: 0o755 });
    const finding = await find(checkSlurmEpilog(told(`Epilog = ${directory}/epilog`), kit));
    expect(finding).toMatchObject({ verdict, message: expect.stringContaining(words) as string });
  });

  it.each([
    ['no plugin', 'CliFilterPlugins = user_defaults', undefined, 'ok', 'are not judged'],
    ['a plugin without its file', 'CliFilterPlugins = lua', undefined, 'fail', 'sbatch and srun fail'],
    ['a file of the site alone', 'CliFilterPlugins = lua', 'x = 1\n', 'warn', 'does not load ours'],
    ['our line as a comment', 'CliFilterPlugins = lua', '-- KIT\n', 'warn', 'does not load ours'],
    ['our line', 'CliFilterPlugins = cli_filter/lua', 'x = 1\nKIT\n', 'ok', 'judges submissions'],
    ['our line of an installation that is gone', 'CliFilterPlugins = lua', 'GONE\n', 'warn', 'is not there'],
    ['another installation', 'CliFilterPlugins = a,lua', 'OTHER\n', 'warn', 'of another installation'],
  ])('see %s of the cli_filter', async (_, setting, text, verdict, words) => {
    const line = (at: string): string => `pcall(dofile, "${at}/share/slurm/cli_filter.lua")`;
    await mkdir(`${directory}/share/slurm`, { recursive: true });
    await writeFile(`${directory}/share/slurm/cli_filter.lua`, '');
    const lines = { KIT: line(resolve(kit, '../..')), GONE: line('/nowhere'), OTHER: line(directory) };
    const written = text?.replace(/KIT|GONE|OTHER/, (name) => lines[name as keyof typeof lines]);
    if (written !== undefined) await writeFile(`${directory}/cli_filter.lua`, written);
    const finding = await find(checkCliFilter(told(`SLURM_CONF = ${directory}/slurm.conf\n${setting}\n`), kit));
    expect(finding).toMatchObject({ verdict, message: expect.stringContaining(words) as string });
  });
});

const share = '/opt/hpc-submit-dockerjob/lib/node_modules/hpc-submit-dockerjob/share/lsf';
const goodQueue: Readonly<Record<string, string>> = {
  QUEUE_NAME: 'cfd',
  JOB_CONTROLS: 'SUSPEND[SIGTSTP] RESUME[SIGCONT]',
  PRE_EXEC: `${share}/pre-exec`,
  POST_EXEC: `${share}/post-exec`,
  JOB_STARTER: '/opt/hpc-submit-dockerjob/bin/hpc-submit-dockerjob starter',
  REQUEUE_EXIT_VALUES: '75',
};
const queueText = (changes: Readonly<Record<string, string>> = {}): string => {
  const lines = Object.entries({ ...goodQueue, ...changes }).filter(([, value]) => value !== '');
  return `Begin Queue\nQUEUE_NAME = other\nEnd Queue\n\nBegin Queue\n${lines.map(([name, value]) => `${name} = ${value}`).join('\n')}\nEnd Queue\n`;
};

interface Files {
  readonly conf?: string;
  readonly params?: string;
  readonly queues?: string;
  readonly applications?: string;
  readonly sudoers?: string;
}

async function writeLsf(
  { conf = '', params = '', queues = queueText(), applications, sudoers }: Files,
  batch = '',
): Promise<void> {
  await mkdir(`${directory}/${batch}`, { recursive: true });
  await writeFile(`${directory}/lsf.conf`, `# comment\n${conf}\n`);
  await writeFile(`${directory}/${batch}/lsb.params`, `Begin Parameters\n${params}\nEnd Parameters\n`);
  await writeFile(`${directory}/${batch}/lsb.queues`, queues);
  if (applications !== undefined) await writeFile(`${directory}/${batch}/lsb.applications`, applications);
  if (sudoers !== undefined) await writeFile(`${directory}/lsf.sudoers`, sudoers);
}

const read = (): ReturnType<typeof readConfiguration> =>
  readConfiguration({ confDirectory: directory, environment: {}, sudoersFile: `${directory}/lsf.sudoers` });

describe('files of LSF', () => {
  it.each(['', 'cluster1/configdir'])('are found in one directory or in the cluster’s own: %j', async (batch) => {
    await writeLsf({ conf: batch === '' ? '' : `LSB_CONFDIR=${directory}` }, batch);
    expect((await read()).queues.map(({ name }) => name)).toEqual(['other', 'cfd']);
  });

  it('are read with continued lines, quotes and comments', async () => {
    await writeLsf({ conf: 'LSB_ESUB_METHOD = "a \\\n  b"\n# LSF_SERVERDIR=/x\nlsf_serverdir=/y' });
    const { conf } = await read();
    expect(conf.get('LSB_ESUB_METHOD')).toMatch(/^a\s+b$/);
    expect(conf.get('LSF_SERVERDIR')).toBe('/y');
  });

  it('that are missing are named', async () => {
    await expect(read()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('lsf.conf') as string,
    });
    await writeFile(`${directory}/lsf.conf`, '');
    await expect(read()).rejects.toMatchObject({ message: expect.stringContaining('lsb.queues') as string });
  });
});

describe('lsf-hooks', () => {
  const none = { queues: [], wantsStarter: true, wantsPrologue: false };

  it.each([
    ['all lines', {}, 'ok', ''],
    ['HOST_POST_EXEC instead', { POST_EXEC: '', HOST_POST_EXEC: `${share}/post-exec` }, 'ok', ''],
    ['a command that suspends', { JOB_CONTROLS: `SUSPEND[${share}/job-control suspend] RESUME[x]` }, 'ok', ''],
    ['several requeue values', { REQUEUE_EXIT_VALUES: '30 EXCLUDE(75) 99' }, 'ok', ''],
    ['no JOB_CONTROLS', { JOB_CONTROLS: '' }, 'fail', 'JOB_CONTROLS has no SUSPEND'],
    ['SIGSTOP', { JOB_CONTROLS: 'SUSPEND[SIGSTOP]' }, 'fail', 'JOB_CONTROLS has no SUSPEND'],
    ['bkill in TERMINATE', { JOB_CONTROLS: 'SUSPEND[SIGTSTP] TERMINATE[bkill $LSB_JOBID]' }, 'fail', 'calls bkill'],
    ['no POST_EXEC', { POST_EXEC: '' }, 'fail', 'neither HOST_POST_EXEC nor POST_EXEC'],
    ['another POST_EXEC', { POST_EXEC: '/site/post' }, 'fail', 'neither HOST_POST_EXEC nor POST_EXEC'],
    ['no JOB_STARTER', { JOB_STARTER: '' }, 'fail', 'JOB_STARTER is not'],
    [
      'a JOB_STARTER that quotes the command',
      { JOB_STARTER: '/opt/hpc-submit-dockerjob/bin/hpc-submit-dockerjob starter "%USRCMD"' },
      'fail',
      'JOB_STARTER has %USRCMD in quotes',
    ],
    ['LSF’s own containers', { CONTAINER: 'docker[image(x)]' }, 'fail', 'CONTAINER=docker'],
    ['no PRE_EXEC', { PRE_EXEC: '' }, 'warn', 'no PRE_EXEC'],
    ['no REQUEUE_EXIT_VALUES', { REQUEUE_EXIT_VALUES: '' }, 'warn', 'has no 75'],
    ['another number', { REQUEUE_EXIT_VALUES: '175 7' }, 'warn', 'has no 75'],
  ])('of a queue with %s', async (_, changes, verdict, message) => {
    await writeLsf({ queues: queueText(changes) });
    const found = await find(checkLsfHooks(read, none));
    expect(found.verdict).toBe(verdict);
    expect(found.message).toContain(message);
    expect(found.message).not.toContain('other:');
  });

  it.each([
    ['PRE_EXEC that starts nothing', `${share}/pre-exec`, true, 'warn', 'lsf.start: prologue has no effect'],
    ['PRE_EXEC that starts', `${share}/pre-exec --start`, true, 'ok', ''],
    ['PRE_EXEC of another image', `${share}/pre-exec --start --image x:1`, true, 'warn', 'not the same options'],
    ['PRE_EXEC that starts unasked', `${share}/pre-exec --start`, false, 'warn', '--start, which has no effect'],
  ])('of a queue with a %s', async (_, line, wantsPrologue, verdict, message) => {
    await writeLsf({ queues: queueText({ PRE_EXEC: line }) });
    const found = await find(checkLsfHooks(read, { ...none, wantsPrologue }));
    expect(found.verdict).toBe(verdict);
    expect(found.message).toContain(message);
  });

  it('are told of beside queues that are not there', async () => {
    await writeLsf({ queues: queueText({ POST_EXEC: '/site/post' }) });
    const { message } = await find(checkLsfHooks(read, { ...none, queues: ['cdf'] }));
    expect(message).toMatch(/lsb.queues has not: cdf; .*neither HOST_POST_EXEC nor POST_EXEC/);
  });

  it('start a job on its first host alone', async () => {
    await writeLsf({ queues: queueText({ HOST_PRE_EXEC: `${share}/pre-exec --start` }) });
    expect(await find(checkLsfHooks(read, none))).toMatchObject({
      verdict: 'fail',
      message: expect.stringContaining('HOST_PRE_EXEC has --start') as string,
    });
  });

  it('needs no job starter where site.yaml names no alias and no queue', async () => {
    await writeLsf({ queues: queueText({ JOB_STARTER: '' }) });
    expect(await find(checkLsfHooks(read, { ...none, wantsStarter: false }))).toMatchObject({ verdict: 'ok' });
  });

  it('are wanted of each queue that site.yaml names', async () => {
    await writeLsf({});
    expect((await find(checkLsfHooks(read, { ...none, queues: ['other'] }))).message).toContain('other: JOB_CONTROLS');
    expect((await find(checkLsfHooks(read, { ...none, queues: ['gone'] }))).message).toContain('has not: gone');
  });

  it('are wanted of a profile that has one', async () => {
    await writeLsf({
      applications: `Begin Application\nNAME = foam\nPOST_EXEC = ${share}/post-exec\nEnd Application\n`,
    });
    expect((await find(checkLsfHooks(read, none))).message).toContain('foam: JOB_CONTROLS');
  });

  it('fail where nothing of this program is', async () => {
    await writeLsf({ queues: 'Begin Queue\nQUEUE_NAME = normal\nEnd Queue\n' });
    expect(await find(checkLsfHooks(read, none))).toMatchObject({ verdict: 'fail', code: 'HOST_UNFIT' });
  });
});

describe('lsf-esub', () => {
  const conf = (method = 'hpcdocker'): string =>
    `LSF_SERVERDIR=${directory}/sbin\nLSB_ESUB_METHOD="${method}"\nLSB_SUB_COMMANDNAME=y`;
  beforeEach(async () => {
    await mkdir(`${directory}/sbin`);
    await writeFile(`${directory}/sbin/esub.hpcdocker`, '#!/bin/sh\n', { mode: 0o755 });
    await symlink('esub.hpcdocker', `${directory}/sbin/esub.foam`);
  });

  it('is well', async () => {
    await writeLsf({ conf: conf('site hpcdocker') });
    expect(await find(checkLsfEsub(read, { aliases: ['foam'], hasRules: false }))).toMatchObject({ verdict: 'ok' });
  });

  it('is needed for rules of applications as well', async () => {
    await writeLsf({ conf: conf('site') });
    const check = checkLsfEsub(read, { aliases: [], hasRules: true });
    expect(await find(check)).toMatchObject({
      verdict: 'fail',
      message: expect.stringContaining('LSB_ESUB_METHOD') as string,
    });
  });

  it('tells of esubs that take images, and wants them called and the job starter for them', async () => {
    await symlink('esub.hpcdocker', `${directory}/sbin/esub.docker`);
    await writeLsf({ conf: conf('site hpcdocker') });
    const site = { aliases: ['foam'], hasRules: false };
    const fine = await find(checkLsfEsub(read, site));
    expect(fine).toMatchObject({ verdict: 'ok', message: expect.stringContaining("'docker(IMAGE)'") as string });
    await writeLsf({ conf: conf(), queues: queueText({ JOB_STARTER: '' }) });
    const hooks = await find(checkLsfHooks(read, { queues: [], wantsStarter: false, wantsPrologue: false }));
    expect(hooks.message).toContain('JOB_STARTER is not');
    await writeLsf({ conf: conf('site') });
    expect(await find(checkLsfEsub(read, { aliases: [], hasRules: false }))).toMatchObject({ verdict: 'fail' });
  });

  it('is not looked at without an alias', async () => {
    expect(await find(checkLsfEsub(read, { aliases: [], hasRules: false }))).toMatchObject({ verdict: 'ok' });
  });

  it.each([
    ['a link of an alias is missing', ['foam', 'cs7'], 'hpcdocker', undefined, 'esub.cs7'],
    ['the esub cannot be executed', ['foam'], 'hpcdocker', 0o644, 'esub.foam'],
    ['it is not in LSB_ESUB_METHOD', ['foam'], 'site', undefined, 'LSB_ESUB_METHOD'],
  ] as const)('fails when %s', async (_, aliases, method, mode, message) => {
    await writeLsf({ conf: conf(method) });
    if (mode !== undefined) await chmod(`${directory}/sbin/esub.hpcdocker`, mode);
    const found = await find(checkLsfEsub(read, { aliases, hasRules: false }));
    expect(found).toMatchObject({ verdict: 'fail', message: expect.stringContaining(message) as string });
  });
});

describe('lsf-esub of several faults', () => {
  it('names all of them at once', async () => {
    await mkdir(`${directory}/sbin`);
    await writeLsf({ conf: `LSF_SERVERDIR=${directory}/sbin\nLSB_ESUB_METHOD="site"` });
    const { message } = await find(checkLsfEsub(read, { aliases: ['foam'], hasRules: false }));
    for (const fault of ['esub.hpcdocker', 'esub.foam', 'LSB_ESUB_METHOD']) expect(message).toContain(fault);
  });

  it('warns of a command line that the esub cannot see', async () => {
    await mkdir(`${directory}/sbin`);
    for (const name of ['hpcdocker', 'foam']) await writeFile(`${directory}/sbin/esub.${name}`, '', { mode: 0o755 });
    await writeLsf({ conf: `LSF_SERVERDIR=${directory}/sbin\nLSB_ESUB_METHOD="hpcdocker"` });
    const found = await find(checkLsfEsub(read, { aliases: ['foam'], hasRules: false }));
    expect(found).toMatchObject({ verdict: 'warn', message: expect.stringContaining('LSB_SUB_COMMANDNAME') as string });
  });
});

describe('lsf-stop-time', () => {
  it.each([
    ['', 10, 'ok'],
    ['JOB_TERMINATE_INTERVAL = 5', 10, 'fail'],
    ['JOB_TERMINATE_INTERVAL = 6', 10, 'ok'],
    ['JOB_TERMINATE_INTERVAL = soon', 10, 'fail'],
  ])('%j against %i s', async (params, stopSeconds, verdict) => {
    await writeLsf({ params });
    expect(await find(checkLsfStopTime(read, stopSeconds))).toMatchObject({ verdict });
  });
});

describe('lsf-hook-user', () => {
  it.each([
    ['nothing', {}, 'ok'],
    ['another user in lsf.sudoers', { sudoers: 'LSB_PRE_POST_EXEC_USER=lsfadmin' }, 'ok'],
    ['root in lsf.sudoers', { sudoers: '# x\nLSB_PRE_POST_EXEC_USER=root' }, 'fail'],
    ['root in a queue', { queues: queueText({ PRE_POST_EXEC_USER: 'root' }) }, 'fail'],
  ] as const)('says %s', async (_, files, verdict) => {
    await writeLsf(files);
    const found = await find(checkLsfHookUser(read));
    expect(found).toMatchObject({ verdict, ...(verdict === 'fail' ? { code: 'NOT_PERMITTED' } : {}) });
  });

  it('does not know where lsf.sudoers cannot be read', async () => {
    await writeLsf({});
    await mkdir(`${directory}/lsf.sudoers`);
    expect(await find(checkLsfHookUser(read))).toMatchObject({ verdict: 'skip' });
  });
});

describe('lsf-job-info', () => {
  it.each([
    [{}, 'ok'],
    [{ params: 'SECURE_JOB_INFO_LEVEL = 0' }, 'ok'],
    [{ params: 'SECURE_JOB_INFO_LEVEL = 3' }, 'warn'],
    [{ conf: 'LSB_SECURE_JOBINFO_USERS = eve' }, 'warn'],
    [{ conf: 'LSB_SECURE_JOBINFO_USERS = eve root' }, 'ok'],
  ])('%j', async (files, verdict) => {
    await writeLsf(files);
    expect(await find(checkLsfJobInfo(read))).toMatchObject({ verdict });
  });
});

describe('lsf-cgroup', () => {
  const both = 'LSF_LINUX_CGROUP_ACCT=Y\nLSF_PROCESS_TRACKING=y';
  it.each([
    [both, true, 0, 'ok'],
    ['LSF_LINUX_CGROUP_ACCT=Y', true, 0, 'fail'],
    ['LSF_PROCESS_TRACKING=Y\nLSF_LINUX_CGROUP_ACCT=N', true, 0, 'fail'],
    ['', false, 1024, 'ok'],
    ['', false, 0, 'warn'],
  ])('%j, required: %s, memory for each slot: %i', async (conf, isRequired, memoryPerSlotBytes, verdict) => {
    await writeLsf({ conf });
    expect(await find(checkLsfCgroup(read, { isRequired, memoryPerSlotBytes }))).toMatchObject({ verdict });
  });
});

describe('listSchedulerChecks', () => {
  const site = (kind: string) => parseSite(`version: 1\nscheduler: {kind: ${kind}, commandPath: ${directory}}`);
  const names = (kind: string, asked?: 'slurm' | 'lsf') =>
    listSchedulerChecks(knownSchedulers, site(kind), asked).then((checks) => checks.map(({ name }) => name));

  it('takes those whose commands are here, or the one that is asked for', async () => {
    expect(await names('auto')).toEqual([]);
    await writeFile(`${directory}/bjobs`, '', { mode: 0o755 });
    expect((await names('auto'))[0]).toBe('lsf-cgroup');
    expect(await names('slurm')).toEqual([]);
    expect(await names('auto', 'slurm')).toEqual([
      'slurm-cgroup',
      'slurm-epilog',
      'slurm-kill-wait',
      'slurm-cli-filter',
    ]);
  });
});

it('LSF’s files in a directory that is not there are told of once', async () => {
  const site = parseSite(
    `version: 1\nscheduler: {kind: lsf, commandPath: ${directory}, lsf: {confDirectory: ${directory}/none}}`,
  );
  const findings = await runChecks(await listSchedulerChecks(knownSchedulers, site, 'lsf'), 5000);
  const told = findings.filter(({ message }) => message.includes(`${directory}/none`));
  expect(told).toHaveLength(1);
  expect(findings.filter(({ verdict }) => verdict === 'fail')).toEqual(told);
});
