/** Jobs of Grid Engine in a lab, as alice would hand them in and an operator would watch them. */
import { mustRun, readLabFile, writeLabFile } from '../../lab/batch-jobs.ts';
import { execOnHost } from '../../lab/exec-on-host.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { jobDirectory } from './e2e-lab.ts';
import { readScratchFile, until, untilAsked } from './e2e-jobs.ts';

export interface GridEngineJob {
  readonly id: string;
  stdout(): Promise<string>;
  stderr(): Promise<string>;
  /** A file of the job's directory. */
  readFile(name: string): Promise<string>;
  /** Waits until the job's standard output shows the text. */
  shows(text: string, deadlineMs?: number): Promise<void>;
  /** Waits until sge_qmaster knows the job no more. */
  end(deadlineMs?: number): Promise<void>;
  /** Exit status by the accounting of Grid Engine, for a job that has ended. */
  exitStatus(): Promise<string>;
}

export interface GridEngineOptions {
  readonly user?: string;
  /** Further arguments of qsub; two hosts unless told otherwise, the script on node1. */
  readonly qsub?: readonly string[];
}

/** Submits a bash script on node1. */
export async function startGridEngineJob(
  lab: Lab,
  script: string,
  options: GridEngineOptions = {},
): Promise<GridEngineJob> {
  const { user = 'alice', qsub = ['-masterq', 'all.q@node1', '-pe', 'mpi', '2'] } = options;
  const directory = jobDirectory(user);
  await mustRun(lab, 'node1', ['install', '-d', '-o', user, '-g', user, directory]);
  await writeLabFile(lab, `${directory}/job.sh`, `#!/bin/bash\n${script}\n`, user);
  const argv = ['qsub', '-terse', '-cwd', '-o', 'job.out', '-e', 'job.err', ...qsub, 'job.sh'];
  const submitted = await execOnHost(lab, 'node1', { user, argv, cwd: directory });
  const id = /^\d+/.exec(submitted.stdout)?.[0];
  if (id === undefined) throw new Error(`qsub refused the job: ${submitted.stdout}${submitted.stderr}`);
  const read = async (stream: 'out' | 'err'): Promise<string> =>
    await readScratchFile(lab, `${directory}/job.${stream}`).then(
      (text) => String(text).replace(/\n$/, ''),
      () => '',
    );
  return {
    id,
    stdout: () => read('out'),
    stderr: () => read('err'),
    readFile: async (name) => await readLabFile(lab, `${directory}/${name}`),
    shows: async (text, deadlineMs = 40_000) =>
      await until(`"${text}" in job.out of job ${id}`, deadlineMs, async () => {
        const seen = await read('out');
        return seen.includes(text) || `seen: ${seen.slice(-400)} ${(await read('err')).slice(-800)}`;
      }),
    end: async (deadlineMs = 60_000) =>
      await untilAsked(`the end of job ${id}`, deadlineMs, async () => {
        const { exitCode, stdout } = await execOnHost(lab, 'head', { argv: ['qstat', '-j', id] });
        return exitCode !== 0 || `qstat: ${stdout.slice(0, 400)}`;
      }),
    exitStatus: async () => {
      let status: string | undefined;
      await untilAsked(`job ${id} in the accounting`, 20_000, async () => {
        const { stdout } = await execOnHost(lab, 'head', { argv: ['qacct', '-j', id] });
        status = /^exit_status +(\d+)/m.exec(stdout)?.[1];
        return status !== undefined || 'not there';
      });
      return status ?? '';
    },
  };
}

/** States of the job's containers, host by host, as `docker ps` tells them. */
export async function containerStates(lab: Lab): Promise<readonly string[]> {
  const perHost = await Promise.all(
    lab.nodes.map(async ({ name }) => await mustRun(lab, name, ['docker', 'ps', '--all', '--format', '{{.State}}'])),
  );
  return perHost.map((states) => states.trim());
}
