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
}

/** True when the environment says that this is a job of LSF. */
export function isInLsfJob(environment: NodeJS.ProcessEnv): boolean {
  return Boolean(environment['LSB_JOBID']);
}

/** LSF, and systems like it, as the middleware needs it, in a batch script of the user. */
export function lsfScheduler({ commandPath, launcher, spreadCommand }: LsfSchedulerOptions): Scheduler {
  return {
    name: 'lsf',
    suspendsBatchScript: true,
    readAllocation: (environment) => {
      refuseContainerMode(readContainerMarks(environment));
      return readAllocation(environment);
    },
    launchOnEveryHost: ({ hosts }, argv) => {
      const [file, ...words] = argv;
      // LSF signals the whole process group of the script: on its own host no launcher could do more.
      if (hosts.length === 1 && file !== undefined) return { file, argv: words, environment: {} };
      const names = hosts.map(({ name }) => name);
      return chooseLauncher(launcher, commandPath, spreadCommand).launch(names, argv);
    },
  };
}
