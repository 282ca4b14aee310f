import type { Scheduler } from '../ports/scheduler.ts';
import { chooseLauncher } from './choose-launcher.ts';
import type { LauncherChoice } from './choose-launcher.ts';
import { readAllocation } from './read-allocation.ts';
import { readContainerMarks, refuseContainerMode } from './refuse-container-mode.ts';

export interface LsfSchedulerOptions {
  /** Directories in which launchers are looked for, as the user. */
  readonly commandPath: string;
  /** site.yaml `scheduler.lsf.launcher`. */
  readonly launcher: LauncherChoice;
  /** The program and first words by which this package's own `spread` is started. */
  readonly spreadCommand: readonly [string, ...string[]];
  /** Plain words, put before what is run on each host: it keeps the job's signals from it. */
  readonly onHostCommand: readonly [string, ...string[]];
}

/** True when the environment says that this is a job of LSF. */
export function isInLsfJob(environment: NodeJS.ProcessEnv): boolean {
  return Boolean(environment['LSB_JOBID']);
}

/** LSF, and systems like it, as the middleware needs it, in a batch script of the user. */
export function lsfScheduler(options: LsfSchedulerOptions): Scheduler {
  const { commandPath, launcher, spreadCommand, onHostCommand } = options;
  return {
    name: 'lsf',
    suspendsBatchScript: true,
    readAllocation: (environment) => {
      refuseContainerMode(readContainerMarks(environment));
      return readAllocation(environment);
    },
    launchOnEveryHost: ({ hosts }, argv) => {
      // On its own host no launcher could do more. LSF signals the process group of the script, so the helper leaves it, too.
      const [file, ...words] = onHostCommand;
      if (hosts.length === 1) return { file, argv: [...words, ...argv], environment: {} };
      const names = hosts.map(({ name }) => name);
      return chooseLauncher(launcher, commandPath, spreadCommand, onHostCommand).launch(names, argv);
    },
  };
}
