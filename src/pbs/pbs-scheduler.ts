import type { AllocatedHost, LaunchCommand, Scheduler } from '../ports/scheduler.ts';
import { JobError } from '../values/errors.ts';
import { findProgram } from '../system/find-program.ts';
import { readAllocation } from './read-allocation.ts';

export interface PbsSchedulerOptions {
  /** Directories in which launchers are looked for, as the user. */
  readonly commandPath: string;
  /** Plain words, put before what is run on each of the other hosts: it keeps the job's signals from it. */
  readonly onHostCommand: readonly string[];
  /** The environment of the batch script; default: the program's own. */
  readonly environment?: NodeJS.ProcessEnv;
}

/** True when the environment says that this is a job of PBS. */
export function isInPbsJob(environment: NodeJS.ProcessEnv): boolean {
  return Boolean(environment['PBS_JOBID']);
}

/** OpenPBS, PBS Professional and Torque as the middleware needs them, in a batch script of the user. */
export function pbsScheduler(options: PbsSchedulerOptions): Scheduler {
  const { environment = process.env } = options;
  return {
    name: 'pbs',
    suspendsBatchScript: true,
    readAllocation,
    launchOnEveryHost: ({ hosts }, argv) => launch({ ...options, environment }, hosts, argv),
  };
}

/** On the script's own host directly; a task of the job on each of the others. Fails with `LAUNCHER_FAILED`. */
function launch(
  { commandPath, onHostCommand, environment }: Required<PbsSchedulerOptions>,
  hosts: readonly AllocatedHost[],
  argv: readonly string[],
): readonly LaunchCommand[] {
  const [file, ...words] = argv;
  const task = [...onHostCommand, ...argv];
  if (file === undefined) throw new RangeError('There is no command to launch');
  const own = hosts[0] === undefined ? {} : { host: hosts[0].name };
  const here = { file, argv: words, environment: {}, ...own };
  if (hosts.length === 1) return [here];
  // By name, where OpenPBS brings the command for it (pbs_tmrsh(8B)); both wait for the end of the task.
  const byName = findProgram('pbs_tmrsh', commandPath);
  if (byName !== undefined)
    return [
      here,
      ...hosts.slice(1).map(({ name }) => ({ file: byName, argv: [name, ...task], environment: {}, host: name })),
    ];
  const byIndex = findProgram('pbsdsh', commandPath);
  if (byIndex === undefined) throw noLauncher();
  const { nodeIndexes } = readAllocation(environment);
  // By the number of a line of PBS_NODEFILE (pbsdsh(1B)); a wrong one reaches a host whose helper refuses to begin twice.
  return [
    here,
    ...hosts.slice(1).map(({ name }, position) => ({
      file: byIndex,
      argv: ['-n', String(nodeIndexes[position + 1]), '--', ...task],
      environment: {},
      host: name,
    })),
  ];
}

function noLauncher(): JobError {
  return new JobError({
    code: 'LAUNCHER_FAILED',
    message: 'Neither pbs_tmrsh nor pbsdsh, by which the other hosts of the job are reached, is in PATH.',
    hint: "Put the directory of PBS's commands into the PATH of the job.",
  });
}
