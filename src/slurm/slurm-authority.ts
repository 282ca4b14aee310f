import type { SchedulerAuthority } from '../ports/scheduler.ts';
import { findProgram } from '../shared/find-program.ts';
import { confirmJob, isJobOver } from './confirm-job.ts';
import { findCommand } from './find-command.ts';
import { findJobCgroup } from './find-job-cgroup.ts';

export interface SlurmAuthorityOptions {
  /** Directories of Slurm's commands: site.yaml `scheduler.commandPath`. The caller has made sure that they are root's. */
  readonly commandPath: string;
}

/** Slurm as the helper needs it: as root, trusting the controller and the kernel alone. */
export function slurmAuthority(options: SlurmAuthorityOptions): SchedulerAuthority {
  return {
    name: 'slurm',
    // scancel --signal goes to the steps alone.
    signalsBatchScript: false,
    isHere: () => findProgram('squeue', options.commandPath) !== undefined,
    confirmJob: async (schedulerJobId) => confirmJob(findCommand('squeue', options.commandPath), schedulerJobId),
    isOver: async (schedulerJobId) => isJobOver(findCommand('squeue', options.commandPath), schedulerJobId),
    findJobCgroup,
  };
}
