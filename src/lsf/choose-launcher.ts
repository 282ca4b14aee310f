import type { LaunchCommand } from '../ports/scheduler.ts';
import { JobError } from '../values/errors.ts';
import { findProgram } from '../system/find-program.ts';

/** A way to start one task on each of some hosts. */
export interface Launcher {
  /** The command that runs `argv` once on every host, with output passed through; what has happened is read from the store. */
  launch(hosts: readonly string[], argv: readonly string[]): LaunchCommand;
}

/** Best first: what LSF itself follows, then what it runs at least, then what it knows nothing of. */
const launcherNames = ['blaunch', 'lsrun', 'ssh'] as const;
export type LauncherName = (typeof launcherNames)[number];
export type LauncherChoice = 'auto' | LauncherName;

/** The launcher that the site names, else the best one that is there. Fails with `LAUNCHER_FAILED`. */
export function chooseLauncher(
  choice: LauncherChoice,
  commandPath: string,
  spreadCommand: readonly [string, ...string[]],
  onHostCommand: readonly string[],
): Launcher {
  for (const name of choice === 'auto' ? launcherNames : [choice]) {
    const file = findProgram(name, commandPath);
    if (file === undefined) continue;
    const launcher = launchers[name](file, spreadCommand);
    // LSF's signals to the job's processes would end the launcher, and the helpers of every host with it.
    return { launch: (hosts, argv) => ({ ...launcher.launch(hosts, [...onHostCommand, ...argv]), isApart: true }) };
  }
  throw new JobError({
    code: 'LAUNCHER_FAILED',
    message:
      choice === 'auto'
        ? `No launcher reaches the other hosts of the job: none of ${launcherNames.join(', ')} is in PATH.`
        : `site.yaml says scheduler.lsf.launcher: ${choice}, but ${choice} is not in PATH.`,
    hint: 'LSF puts its own commands into the PATH of a job. (Administrators: check LSF_BINDIR, or set scheduler.lsf.launcher.)',
  });
}

type MakeLauncher = (file: string, spreadCommand: readonly [string, ...string[]]) => Launcher;

const launchers: Readonly<Record<LauncherName, MakeLauncher>> = {
  // Tasks are LSF's own: its signals, limits and accounting reach them. Without a shell, whose start files might write.
  blaunch: (file) => ({
    launch: (hosts, argv) => ({
      file,
      argv: ['-n', '-no-shell', '-z', hosts.join(' '), ...argv],
      environment: {},
    }),
  }),
  // -p: one task on each host, at the same time. "--", as lsrun looks for options behind the command, too.
  lsrun: (file) => ({
    launch: (hosts, argv) => ({
      file,
      argv: ['-p', '-m', hosts.join(' '), '--', ...argv],
      // A job starter would be put before each task, and splits its words again at blanks.
      environment: { LSF_JOB_STARTER: undefined },
    }),
  }),
  ssh: (file, [program, ...words]) => ({
    launch: (hosts, argv) => ({
      file: program,
      argv: [...words, file, hosts.join(','), '--', ...argv],
      environment: {},
    }),
  }),
};
