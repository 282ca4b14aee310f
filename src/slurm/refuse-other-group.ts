import { findLostRoot } from '../system/lost-root.ts';
import { JobError } from '../values/errors.ts';

/**
 * Fails with `USAGE` where the call runs under another group than its job (`sg`, `newgrp` in the batch script): Slurm starts
 * no step for such a process ("Invalid job credential"), on no host.
 */
export function refuseOtherGroup(
  environment: NodeJS.ProcessEnv,
  gid: number | undefined,
  lostRoot = findLostRoot,
): void {
  const ofJob = environment['SLURM_JOB_GID'] ?? '';
  if (!/^\d{1,10}$/.test(ofJob) || gid === undefined || Number(ofJob) === gid) return;
  const error = lostRoot(); // such a namespace has groups of its own
  if (error !== undefined) throw error;
  throw new JobError({
    code: 'USAGE',
    message: `hpc-submit-dockerjob was called under group ${gid} (sg, newgrp), but the job runs under group ${ofJob}, and Slurm starts no step for another group than the job's.`,
    hint: 'Submit the whole job under that group: sg GROUP "sbatch …". Its command then has it, on every host. Or call without sg.',
  });
}
