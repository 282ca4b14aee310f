import type { JobKey } from './job-key.ts';

/** Root's; users may go through it, not look into it. */
export const inputDirectory = '/run/hpc-dockerjob-input';

/**
 * The named pipe by which the middleware gives a job's standard input to its command, on the first host alone. The user's;
 * no program of root's ever opens it.
 */
export function inputPipe(job: JobKey): string {
  return `${inputDirectory}/${job}`;
}
