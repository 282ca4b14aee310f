import { JobError } from '../values/errors.ts';

/**
 * Fails with `USAGE` in a task of srun that has siblings: each would run the whole job, or all but one be refused. What a
 * job was submitted from stays in its environment, so where the kernel says that this is the batch script, that counts.
 */
export function refuseManyTasks(environment: NodeJS.ProcessEnv, procCgroupText: string): void {
  const count = environment['SLURM_STEP_NUM_TASKS'] ?? '';
  if (!/^\d{1,9}$/.test(count) || Number(count) < 2 || procCgroupText.includes('/step_batch')) return;
  throw calledManyTimes(count);
}

/** Why such a call is refused, when it is submitted and when it starts. */
export function calledManyTimes(count: string): JobError {
  return new JobError({
    code: 'USAGE',
    message: `hpc-submit-dockerjob was called by srun, as ${count} tasks at once.`,
    hint: 'Call it once, in the batch script itself, without srun: it starts on every host of the job by itself.',
  });
}
