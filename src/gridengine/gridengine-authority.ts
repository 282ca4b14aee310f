import { confirmJob, findJobOwner, isJobOver } from '../confirmation/confirm-job.ts';
import type { SchedulerAuthority } from '../ports/scheduler.ts';
import { findProgram } from '../system/find-program.ts';
import { qstatSource } from './qstat-source.ts';
import type { QstatOptions } from './qstat-source.ts';

/** Grid Engine as the helper needs it: as root, trusting sge_qmaster alone. */
export function gridEngineAuthority(options: QstatOptions): SchedulerAuthority {
  const source = qstatSource(options);
  return {
    name: 'gridengine',
    // To the whole process group of the batch script; sooner or later to the tasks on other hosts, too.
    signalsBatchScript: true,
    // qacct is no command of PBS, whose qstat is another one.
    isHere: () => ['qstat', 'qacct'].every((name) => findProgram(name, options.commandPath) !== undefined),
    confirmJob: async (schedulerJobId, uid) => await confirmJob(source, schedulerJobId, uid),
    findOwner: async (job) => await findJobOwner(source, job.replace('_', '.')),
    isOver: async (schedulerJobId) => await isJobOver(source, schedulerJobId),
    // Its processes are told apart by an additional group, which sudo takes from the helper.
    findJobCgroup: () => undefined,
  };
}
