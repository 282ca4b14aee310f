import type { LaunchCommand } from '../ports/scheduler.ts';
import { dropRequests, withoutRequests } from './launch-with-srun.ts';

export interface BesideCall {
  readonly schedulerJobId: string;
  readonly host: string;
  readonly argv: readonly string[];
  /** What srun would inherit. */
  readonly environment: NodeJS.ProcessEnv;
}

/**
 * The srun that runs `argv` on one host of a running job for somebody who waits for it, and passes on its streams. It
 * takes nothing of what the job has, and the job's own steps do not wait for it.
 */
export function launchShell(srun: string, { schedulerJobId, host, argv, environment }: BesideCall): LaunchCommand {
  const options = [
    `--jobid=${schedulerJobId}`,
    ...['--nodes=1', '--ntasks=1', `--nodelist=${host}`],
    ...withoutRequests,
    '--unbuffered',
    '--job-name=hpc-dockerjob-shell',
  ];
  return {
    file: srun,
    argv: [...options, '--', ...argv],
    environment: { ...dropRequests(environment), TMPDIR: undefined },
  };
}
