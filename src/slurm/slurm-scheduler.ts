import { readFileSync } from 'node:fs';
import { findCommand } from '../confirmation/find-command.ts';
import type { Scheduler } from '../ports/scheduler.ts';
import { launchWithSrun } from './launch-with-srun.ts';
import { refuseManyTasks } from './refuse-many-tasks.ts';
import { refuseOtherGroup } from './refuse-other-group.ts';
import { readAllocationInStep } from './read-allocation.ts';
import { readTaskEnd } from './read-task-end.ts';

export interface SlurmSchedulerOptions {
  /** Directories of Slurm's commands: site.yaml `scheduler.commandPath`. */
  readonly commandPath: string;
  /** The environment that the launcher would inherit; default: the program's own. */
  readonly environment?: NodeJS.ProcessEnv;
}

/** True when the environment says that this is a job of Slurm. */
export function isInSlurmJob(environment: NodeJS.ProcessEnv): boolean {
  return Boolean(environment['SLURM_JOB_ID'] ?? environment['SLURM_JOBID']);
}

/** Slurm as the middleware needs it, in a batch script of the user. */
export function slurmScheduler(options: SlurmSchedulerOptions): Scheduler {
  const { commandPath, environment: inherited = process.env } = options;
  return {
    name: 'slurm',
    // It stops what runs on every host by itself.
    suspendsBatchScript: false,
    readAllocation: (environment) => {
      const cgroup = readOwnCgroup();
      refuseManyTasks(environment, cgroup);
      refuseOtherGroup(environment, process.getgid?.());
      return readAllocationInStep(environment, cgroup);
    },
    launchOnEveryHost: (allocation, argv) =>
      launchWithSrun(findCommand('srun', 'Slurm', commandPath), allocation, argv, inherited),
    launchOnHost: (allocation, host, argv) =>
      launchWithSrun(findCommand('srun', 'Slurm', commandPath), allocation, argv, inherited, host),
    readTaskEnd,
  };
}

function readOwnCgroup(): string {
  try {
    return readFileSync('/proc/self/cgroup', 'utf8');
  } catch {
    return '';
  }
}
