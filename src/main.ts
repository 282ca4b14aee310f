import { isInLsfJob, lsfScheduler } from './lsf/lsf-scheduler.ts';
import type { Scheduler } from './ports/scheduler.ts';
import { JobError } from './shared/errors.ts';
import { schedulerNames } from './shared/schedulers.ts';
import type { SchedulerName } from './shared/schedulers.ts';
import { isInSlurmJob, slurmScheduler } from './slurm/slurm-scheduler.ts';

interface SchedulerEntry {
  /** True when the environment says that a job of this scheduler is running. */
  isInJob(environment: NodeJS.ProcessEnv): boolean;
  open(commandPath: string): Scheduler | Promise<Scheduler>;
}

/** The user's side of every scheduler, one line each. */
const schedulers: Readonly<Record<SchedulerName, SchedulerEntry>> = {
  slurm: { isInJob: isInSlurmJob, open: (commandPath) => slurmScheduler({ commandPath }) },
  lsf: { isInJob: isInLsfJob, open: openLsf },
};

/** The scheduler in whose job we run. Fails with `NOT_IN_A_JOB`. */
export async function findScheduler(environment: NodeJS.ProcessEnv): Promise<Scheduler> {
  const name = schedulerNames.find((each) => schedulers[each].isInJob(environment));
  // As the user: the launcher is looked for where the user's own commands are.
  if (name !== undefined) return await schedulers[name].open(`${environment['PATH'] ?? ''}:/usr/bin:/bin`);
  throw new JobError({
    code: 'NOT_IN_A_JOB',
    message: 'This is not inside a job of a batch system: no SLURM_JOB_ID and no LSB_JOBID in the environment.',
    hint: 'Call hpc-submit-dockerjob as the last line of a batch script and submit that: sbatch script.sh, or bsub < script.sh. What would happen without a job: hpc-submit-dockerjob explain.',
  });
}

/** Of the policy only the launcher is used here, which the user could choose as well: the helper judges by its own copy. */
async function openLsf(commandPath: string): Promise<Scheduler> {
  // Loaded only when asked for: every job's start waits for this program.
  const { defaultSitePath, loadSite } = await import('./config/load-site.ts');
  const { scheduler } = await loadSite(defaultSitePath, { mustBeTrusted: false });
  return lsfScheduler({
    commandPath: `${commandPath}:${scheduler.commandPath}`,
    launcher: scheduler.lsf.launcher,
    spreadCommand: [process.execPath, ...process.execArgv, process.argv[1] ?? '', 'spread'],
  });
}
