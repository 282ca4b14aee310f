import { confirmJob, findJobOwner, isJobOver } from '../confirmation/confirm-job.ts';
import type { SchedulerAuthority } from '../ports/scheduler.ts';
import { findProgram } from '../system/find-program.ts';
import type { BjobsOptions } from './ask-bjobs.ts';
import { bjobsSource } from './bjobs-source.ts';
import { findJobCgroup } from './find-job-cgroup.ts';

/** LSF as the helper needs it: as root, trusting mbatchd and the kernel alone. */
export function lsfAuthority(options: BjobsOptions): SchedulerAuthority {
  return {
    name: 'lsf',
    // To the whole process group of the batch script, and by launchers that pass signals on to the tasks as well.
    signalsBatchScript: true,
    isHere: () => findProgram('bjobs', options.commandPath) !== undefined,
    confirmJob: async (schedulerJobId, uid) => await confirmJob(bjobsSource(options), schedulerJobId, uid),
    findOwner: async (job) => await findJobOwner(bjobsSource(options), job.replace(/_(.*)$/, '[$1]')),
    isOver: async (schedulerJobId) => await isJobOver(bjobsSource(options), schedulerJobId),
    findJobCgroup,
  };
}
