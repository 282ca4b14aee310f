import type { AllocatedHost, LaunchCommand } from '../ports/scheduler.ts';
import { JobError } from '../values/errors.ts';
import { findProgram } from '../system/find-program.ts';

/**
 * A command for each host: on the script's own directly, which is in the job already, whatever `job_is_first_task` of
 * the parallel environment says; on the others by `qrsh -inherit`, as a task of the job. Fails with `LAUNCHER_FAILED`.
 */
export function launchWithQrsh(
  commandPath: string,
  hosts: readonly AllocatedHost[],
  argv: readonly string[],
): readonly LaunchCommand[] {
  const [file, ...words] = argv;
  if (file === undefined) throw new RangeError('There is no command to launch');
  const own = hosts[0] === undefined ? {} : { host: hosts[0].name };
  const here = { file, argv: words, environment: {}, ...own };
  const others = hosts.slice(1);
  if (others.length === 0) return [here];
  const qrsh = findProgram('qrsh', commandPath);
  if (qrsh === undefined) {
    throw new JobError({
      code: 'LAUNCHER_FAILED',
      message: 'qrsh, by which the other hosts of the job are reached, is not in PATH.',
      hint: "Put the directory of Grid Engine's commands into the PATH of the job.",
    });
  }
  // No login shell: its start files might write, or fail.
  const options = ['-inherit', '-nostdin', '-noshell'];
  return [
    here,
    ...others.map(({ name }) => ({
      file: qrsh,
      argv: [...options, name, ...apart, file, ...words],
      environment: {},
      host: name,
    })),
  ];
}

/**
 * In a session of its own, where the helper outlives the KILL that Grid Engine sends to the task's process group at the end
 * of a job: sudo dies of it, and by that the helper knows that it has to clean up. Warnings are for the first host.
 */
const apart = ['/bin/sh', '-c', `trap '' USR1 USR2; exec /usr/bin/setsid --wait "$@"`, 'sh'];
