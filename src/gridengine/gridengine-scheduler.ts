import { join } from 'node:path';
import type { Scheduler } from '../ports/scheduler.ts';
import { launchWithQrsh } from './launch-with-qrsh.ts';
import { readAllocation } from './read-allocation.ts';

export interface GridEngineSchedulerOptions {
  /** Directories in which qrsh is looked for, as the user. */
  readonly commandPath: string;
  /** The environment of the batch script; default: the program's own. */
  readonly environment?: NodeJS.ProcessEnv;
}

/** True when the environment says that this is a job of Grid Engine; JOB_ID alone is a name that others use, too. */
export function isInGridEngineJob(environment: NodeJS.ProcessEnv): boolean {
  return Boolean(environment['JOB_ID'] && environment['SGE_TASK_ID']);
}

/** Grid Engine as the middleware needs it, in a batch script of the user. */
export function gridEngineScheduler(options: GridEngineSchedulerOptions): Scheduler {
  const { commandPath, environment = process.env } = options;
  const { SGE_ROOT: root = '', ARC: architecture = '' } = environment;
  return {
    name: 'gridengine',
    suspendsBatchScript: true,
    readAllocation,
    launchOnEveryHost: ({ hosts }, argv) =>
      launchWithQrsh(`${commandPath}:${join(root, 'bin', architecture)}`, hosts, argv),
  };
}
