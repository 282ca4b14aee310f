import type { Scheduler } from './ports/scheduler.ts';
import { JobError } from './shared/errors.ts';
import { slurmScheduler } from './slurm/slurm-scheduler.ts';

/** The schedulers that this program knows, in the order in which they are looked for. One line each. */
const schedulers = (commandPath: string): readonly Scheduler[] => [slurmScheduler({ commandPath })];

/** The scheduler in whose job we run. Fails with `NOT_IN_A_JOB`. */
export function findScheduler(environment: NodeJS.ProcessEnv): Scheduler {
  // As the user: the launcher is looked for where the user's own commands are.
  const found = schedulers(`${environment['PATH'] ?? ''}:/usr/bin:/bin`).find((scheduler) =>
    scheduler.isInJob(environment),
  );
  if (found !== undefined) return found;
  throw new JobError({
    code: 'NOT_IN_A_JOB',
    message: 'This is not inside a job of a batch system: no SLURM_JOB_ID in the environment.',
    hint: 'Call hpc-submit-dockerjob as the last line of a batch script and submit that: sbatch script.sh. What would happen without a job: hpc-submit-dockerjob explain.',
  });
}
