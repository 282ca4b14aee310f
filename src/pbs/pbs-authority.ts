import { confirmJob, findJobOwner, isJobOver } from '../confirmation/confirm-job.ts';
import type { SchedulerAuthority } from '../ports/scheduler.ts';
import { findProgram } from '../system/find-program.ts';
import { qstatSource } from './qstat-source.ts';

export interface PbsAuthorityOptions {
  /** Directories of PBS's commands: site.yaml `scheduler.commandPath`. The caller has made sure that they are root's. */
  readonly commandPath: string;
}

/** OpenPBS, PBS Professional and Torque as the helper needs them: as root, trusting pbs_server alone. */
export function pbsAuthority({ commandPath }: PbsAuthorityOptions): SchedulerAuthority {
  const source = qstatSource(commandPath);
  return {
    name: 'pbs',
    // To all sessions of the job, the script's among them.
    signalsBatchScript: true,
    // pbsdsh is no command of Grid Engine, whose qstat is another one.
    isHere: () => ['qstat', 'pbsdsh'].every((name) => findProgram(name, commandPath) !== undefined),
    confirmJob: async (schedulerJobId, uid) => await confirmJob(source, schedulerJobId, uid),
    findOwner: async (job) => await findJobOwner(source, job.replace(/_(.*)$/, '[$1]')),
    isOver: async (schedulerJobId) => await isJobOver(source, schedulerJobId),
    findJobCgroup: () => undefined,
  };
}
