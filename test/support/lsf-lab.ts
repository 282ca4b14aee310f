import { readdir, readFile } from 'node:fs/promises';
import { mustRun } from '../../lab/batch-jobs.ts';
import { execOnHost } from '../../lab/exec-on-host.ts';
import { findLeftovers } from '../../lab/find-leftovers.ts';
import { bringUp } from '../../lab/lab.ts';
import { sharedPaths } from '../../lab/layout.ts';
import type { LsfKind } from '../../lab/layout.ts';
import { reconfigureLsf, writeLsfFile } from '../../lab/lsf/install-lsf.ts';
import { configDir, kitDir, renderParameters } from '../../lab/lsf/lsf-files.ts';
import type { Lab } from '../../lab/running-lab.ts';

import { e2eLabs, jobDirectory } from './e2e-lab.ts';
import type { LabJob, Stream } from './lab-job.ts';
import { readScratchFile, watchLabJob } from './lab-job.ts';
import { until, untilAsked } from './until.ts';

/** Brings the lab up with the product of this tree, or makes the one that runs like this. */
export async function lsfLab(lsf: LsfKind, images: readonly string[] = ['mpi']): Promise<Lab> {
  return await bringUp({
    name: e2eLabs.lsfJobs,
    hosts: 3,
    lsf,
    lsfDirectory: process.env['HPCDJ_LSF'],
    images,
    report: (line) => console.error(`lab  ${line}`),
  });
}

/** A job as bjobs describes it; `exitCode` is undefined until it has one. */
export interface LsfState {
  readonly stat: string;
  readonly exitCode: number | undefined;
}

/** A job that was submitted with bsub; its streams are read where LSF keeps them, while it runs and afterwards. */
export interface LsfJob extends LabJob<LsfState> {
  /** Waits until bjobs says that it stands like this. */
  is(stat: string, deadlineMs?: number): Promise<void>;
}

export interface BsubOptions {
  readonly user?: 'alice' | 'bob';
  /** One slot on each of three hosts, unless told. */
  readonly bsub?: readonly string[];
  readonly directory?: string;
  readonly environment?: Record<string, string>;
  /** True: `#BSUB` lines name the job's files, `job-%J.out` and `job-%J.err`. */
  readonly namesOwnFiles?: boolean;
}

export const onThreeHosts = ['-n3', '-R', 'span[ptile=1]'] as const;

/** `bsub < script` as alice on node1, in a directory of hers that containers see. */
export async function submitScript(lab: Lab, script: string, options: BsubOptions = {}): Promise<LsfJob> {
  const directory = await makeDirectory(lab, options);
  const { exitCode, text } = await callBsub(lab, [], { ...options, directory }, `#!/bin/bash\n${script}\n`);
  const id = /^Job <(\d+)> is submitted/m.exec(text)?.[1];
  if (exitCode !== 0 || id === undefined) throw new Error(`bsub ended with ${exitCode}: ${text}`);
  return watchJob(lab, id, directory, options);
}

/** `bsub … command` in the same way; the text is what bsub and its esubs said. */
export async function submitCommand(
  lab: Lab,
  command: readonly string[],
  options: BsubOptions = {},
): Promise<{ readonly exitCode: number; readonly text: string; readonly job: LsfJob | undefined }> {
  const directory = await makeDirectory(lab, options);
  const { exitCode, text } = await callBsub(lab, command, { ...options, directory });
  const id = /^Job <(\d+)> is submitted/m.exec(text)?.[1];
  return { exitCode, text, job: id === undefined ? undefined : watchJob(lab, id, directory, options) };
}

async function makeDirectory(
  lab: Lab,
  { user = 'alice', directory = jobDirectory(user) }: BsubOptions,
): Promise<string> {
  await mustRun(lab, 'node1', ['install', '-d', '-o', user, '-g', user, directory]);
  return directory;
}

async function callBsub(
  lab: Lab,
  command: readonly string[],
  options: BsubOptions & { readonly directory: string },
  input = '',
): Promise<{ readonly exitCode: number; readonly text: string }> {
  const { user = 'alice', bsub = onThreeHosts, directory, environment = {} } = options;
  const files = options.namesOwnFiles === true ? [] : ['-o', 'job.out', '-e', 'job.err'];
  const argv = ['bsub', ...files, ...bsub, ...command];
  const { exitCode, stdout, stderr } = await execOnHost(lab, 'node1', {
    ...{ user, argv, input, cwd: directory, env: environment },
  });
  return { exitCode, text: `${stdout}\n${stderr}` };
}

function watchJob(lab: Lab, id: string, directory: string, options: BsubOptions): LsfJob {
  const { user = 'alice', namesOwnFiles = false } = options;
  const file = (stream: Stream): string => `${directory}/job${namesOwnFiles ? `-${id}` : ''}.${stream}`;
  const state = async (): Promise<LsfState> => await readState(lab, id);
  const read = async (stream: Stream): Promise<string> =>
    await readScratchFile(lab, file(stream)).then(String, () => readSpool(lab, user, id, stream));
  const isOver = ({ stat }: LsfState): boolean => stat === 'DONE' || stat === 'EXIT';
  const isThere = async (): Promise<boolean> =>
    await readScratchFile(lab, file('err')).then(
      () => true,
      () => false,
    );
  const awaitEnd = async (deadlineMs: number): Promise<LsfState> => {
    let askedAt = performance.now();
    await until(`the end of job ${id}`, deadlineMs, async () => {
      // LSF copies the output after it has told the end: quick to see, and a reason to ask.
      if (!(await isThere()) && performance.now() - askedAt < 1000) return 'not asked';
      askedAt = performance.now();
      const now = await state();
      return isOver(now) || `it is ${now.stat}: ${(await read('err')).slice(-800)}`;
    });
    await until(`job.err of job ${id}`, 10_000, async () => (await isThere()) || 'it is not there');
    return await state();
  };
  const job = watchLabJob(lab, { id, directory, state, isOver, readStream: read, awaitEnd });
  const is = async (stat: string, deadlineMs = 15_000): Promise<void> =>
    await untilAsked(`state ${stat} of job ${id}`, deadlineMs, async () => {
      const now = await state();
      return now.stat === stat || `it is ${now.stat}: ${(await read('err')).slice(-800)}`;
    });
  return { ...job, is };
}

/** As `bjobs -l` tells it, its lines put together again. */
async function readState(lab: Lab, id: string): Promise<LsfState> {
  const text = (await mustRun(lab, 'node1', ['bjobs', '-l', id])).replaceAll(/\n {21}/g, '');
  const code = text.includes('Done successfully') ? '0' : /Exited with exit code (\d+)/.exec(text)?.[1];
  return { stat: /Status <(\w+)>/.exec(text)?.[1] ?? '', exitCode: code === undefined ? undefined : Number(code) };
}

async function readSpool(lab: Lab, user: string, id: string, stream: 'out' | 'err'): Promise<string> {
  const spool = `${sharedPaths(lab.layout).home}/${user}/.lsbatch`;
  const names = await readdir(spool).catch(() => []);
  // The newest, by the time of submission that its name begins with: a lab that was killed leaves such files, and numbers begin anew.
  const name = names
    .filter((each) => each.endsWith(`.${id}.${stream}`))
    .toSorted()
    .at(-1);
  return name === undefined ? '' : await readFile(`${spool}/${name}`, 'utf8').catch(() => '');
}

/** The hosts of a job that runs, its first one first. */
export async function hostsOf(lab: Lab, { id }: Pick<LabJob, 'id'>): Promise<readonly string[]> {
  const text = await mustRun(lab, 'node1', ['bjobs', '-noheader', '-o', 'exec_host', id]);
  return text
    .trim()
    .split(':')
    .map((host) => host.replace(/^\d+\*/, ''));
}

/** bkill, bstop and their kin, as alice. */
export async function control(
  lab: Lab,
  command: 'bkill' | 'bstop' | 'bresume',
  ...argv: readonly string[]
): Promise<void> {
  const { exitCode, stderr } = await execOnHost(lab, 'node1', { user: 'alice', argv: [command, ...argv] });
  if (exitCode !== 0) throw new Error(`${command} ${argv.join(' ')}: ${stderr}`);
}

/** What is left of jobs on the hosts and in etcd once POST_EXEC is through, programs of the users' side included. */
export async function findLsfLeftovers(lab: Lab, graceMs = 10_000): Promise<readonly string[]> {
  let left: readonly string[] = [];
  await untilAsked('nothing left behind', graceMs, async () => {
    left = [...(await findLeftovers(lab)), ...(await findPrograms(lab))];
    return left.length === 0 || left.join('; ');
  }).catch(() => undefined);
  return left;
}

async function findPrograms(lab: Lab): Promise<readonly string[]> {
  const found = await Promise.all(
    lab.nodes.map(async ({ name }) => {
      const argv = ['pgrep', '-a', '-f', 'dist/middleware.cjs|standin.mjs (lsrun|blaunch)|/.lsbatch/'];
      const { stdout } = await execOnHost(lab, name, { argv });
      return stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => `${name}: process ${line}`);
    }),
  );
  return found.flat();
}

/** Process ids on that host of one of our programs; the lab runs one job at a time. */
export async function findLsfPrograms(lab: Lab, host: string, pattern: string): Promise<readonly string[]> {
  const { stdout } = await execOnHost(lab, host, { argv: ['pgrep', '-f', '--', pattern] });
  return stdout.split('\n').filter(Boolean);
}

/** Writes lsb.queues and lsb.params on every host; they count for the jobs that are submitted from now on. */
export async function configureLsf(lab: Lab, queues: readonly string[], params: readonly string[] = []): Promise<void> {
  await writeLsfFile(lab, `${configDir}/lsb.queues`, queues.join('\n'));
  const usual = ['MBD_SLEEP_TIME=1', 'JOB_TERMINATE_INTERVAL=4'];
  await writeLsfFile(lab, `${configDir}/lsb.params`, renderParameters([...usual, ...params]));
  await reconfigureLsf(lab);
}

/** The clean-up that `docs/lsf.md` asks for. */
export const postExec = `POST_EXEC = ${kitDir}/post-exec`;

/** Ends what a test that failed has left: the next one needs the slots. */
export async function endAllJobs(lab: Lab): Promise<void> {
  await execOnHost(lab, 'node1', { argv: ['bkill', '0'] });
  await untilAsked('the end of all jobs', 40_000, async () => {
    const { stdout } = await execOnHost(lab, 'node1', {
      argv: ['bjobs', '-noheader', '-u', 'all', '-o', 'jobid stat'],
    });
    return stdout.trim() === '' || stdout;
  });
}
