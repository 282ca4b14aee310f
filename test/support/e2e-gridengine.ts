/** Jobs of Grid Engine in a lab, as alice would hand them in and an operator would watch them. */
import { mustRun, writeLabFile } from '../../lab/batch-jobs.ts';
import { execOnHost } from '../../lab/exec-on-host.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { jobDirectory } from './e2e-lab.ts';
import type { LabJob } from './lab-job.ts';
import { watchLabJob } from './lab-job.ts';
import { untilAsked } from './until.ts';

/** As Grid Engine knows it: while it does, there is no status; afterwards the one of its accounting. */
export interface GridEngineState {
  readonly isKnown: boolean;
  readonly exitCode: number | undefined;
}

export type GridEngineJob = LabJob<GridEngineState>;

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
  const isKnown = async (): Promise<boolean> =>
    (await execOnHost(lab, 'head', { argv: ['qstat', '-j', id] })).exitCode === 0;
  const job = watchLabJob<GridEngineState>(lab, {
    id,
    directory,
    state: async () => ({ isKnown: await isKnown(), exitCode: undefined }),
    isOver: (state) => !state.isKnown,
    awaitEnd: async (deadlineMs) => {
      await untilAsked(`the end of job ${id}`, deadlineMs, async () => {
        return !(await isKnown()) || `it is known; ${(await job.stderr()).slice(-800)}`;
      });
      return { isKnown: false, exitCode: await readAccounting(lab, id) };
    },
  });
  return job;
}

/** The exit status by the accounting, which comes some seconds after the end. */
async function readAccounting(lab: Lab, id: string): Promise<number> {
  let status: string | undefined;
  await untilAsked(`job ${id} in the accounting`, 20_000, async () => {
    const { stdout } = await execOnHost(lab, 'head', { argv: ['qacct', '-j', id] });
    status = /^exit_status +(\d+)/m.exec(stdout)?.[1];
    return status !== undefined || 'not there';
  });
  return Number(status);
}
