import { readLabFile, awaitJob, submitJob } from '../../lab/batch-jobs.ts';
import type { SlurmJob } from '../../lab/batch-jobs.ts';
import { findLab } from '../../lab/lab.ts';
import type { Lab } from '../../lab/running-lab.ts';
import { nameE2eLabs } from './name-e2e-labs.ts';

/** The labs of this run. */
export const e2eLabs = nameE2eLabs(process.env);

/** The lab that the global set-up of the end-to-end tests brings up. */
export async function e2eLab(): Promise<Lab> {
  return await findLab(e2eLabs.shared);
}

export interface FinishedJob extends SlurmJob {
  readonly stdout: string;
  readonly stderr: string;
  readonly directory: string;
}

let counter = 0;

/** A new directory name below /scratch for one job. */
export function jobDirectory(user = 'alice'): string {
  counter += 1;
  return `/scratch/${user}-${process.pid}-${counter}`;
}

export interface RunOptions {
  readonly user?: string;
  readonly sbatch?: readonly string[];
  readonly directory?: string;
  readonly deadlineMs?: number;
}

/** Submits a bash script as alice on three hosts and waits for its end. */
export async function runBatch(lab: Lab, script: string, options: RunOptions = {}): Promise<FinishedJob> {
  const { user = 'alice', sbatch = ['-N3', '-n3'], directory = jobDirectory(user), deadlineMs = 90_000 } = options;
  const id = await submitJob(lab, { user, directory, sbatch, script: `#!/bin/bash\n${script}\n` });
  const job = await awaitJob(lab, id, deadlineMs);
  return {
    ...job,
    directory,
    stdout: await readLabFile(lab, `${directory}/job.out`),
    stderr: await readLabFile(lab, `${directory}/job.err`),
  };
}
