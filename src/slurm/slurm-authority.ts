import { confirmJob, isJobOver } from '../confirmation/confirm-job.ts';
import { findCommand } from '../confirmation/find-command.ts';
import type { SchedulerAuthority } from '../ports/scheduler.ts';
import { findProgram } from '../system/find-program.ts';
import { findJobCgroup } from './find-job-cgroup.ts';
import { nameCgroup } from './name-cgroup.ts';
import { readGres } from './read-gres.ts';
import { readShare } from './read-share.ts';
import { readSuspendedSeconds } from './read-suspended-seconds.ts';
import { findOwner, squeueSource } from './squeue-source.ts';

export interface SlurmAuthorityOptions {
  /** Directories of Slurm's commands: site.yaml `scheduler.commandPath`. The caller has made sure that they are root's. */
  readonly commandPath: string;
}

/** Slurm as the helper needs it: as root, trusting the controller and the kernel alone. */
export function slurmAuthority({ commandPath }: SlurmAuthorityOptions): SchedulerAuthority {
  const squeue = (): string => findCommand('squeue', 'Slurm', commandPath);
  const source = () => squeueSource(squeue());
  return {
    name: 'slurm',
    // scancel --signal goes to the steps alone.
    signalsBatchScript: false,
    isHere: () => findProgram('squeue', commandPath) !== undefined,
    confirmJob: async (schedulerJobId, uid) => await confirmJob(source(), schedulerJobId, uid),
    findOwner: async (job) => await findOwner(squeue(), job),
    isOver: async (schedulerJobId) => await isJobOver(source(), schedulerJobId),
    readSuspendedSeconds: async (schedulerJobId) => await readSuspendedSeconds(squeue(), schedulerJobId),
    readShare: async (schedulerJobId, host) =>
      await readShare(findCommand('scontrol', 'Slurm', commandPath), schedulerJobId, host),
    readGres: async (schedulerJobId, host) =>
      await readGres(findCommand('scontrol', 'Slurm', commandPath), schedulerJobId, host),
    findJobCgroup,
    nameCgroup: async (cgroup, schedulerJobId) => await nameCgroup(squeue(), cgroup, schedulerJobId),
  };
}
