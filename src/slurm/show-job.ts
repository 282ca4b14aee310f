import { askScheduler, firstWords, unreachable } from '../confirmation/ask-scheduler.ts';
import { isSchedulerJobId } from '../contract/schedulers.ts';
import { slurm } from './squeue-source.ts';

/** How questions to scontrol are told. */
export const scontrolSource = { ...slurm, command: 'scontrol' };

/**
 * What `scontrol show job --details` prints of a job: with text of its user's, who can add lines of any form. Undefined for a job
 * that Slurm does not know. Fails with `SCHEDULER_UNREACHABLE`.
 */
export async function showJob(scontrol: string, schedulerJobId: string): Promise<string | undefined> {
  if (!isSchedulerJobId('slurm', schedulerJobId)) return undefined;
  const answer = await askScheduler(scontrolSource, schedulerJobId, {
    file: scontrol,
    argv: ['show', 'job', '--details', schedulerJobId],
  });
  if (answer.exitCode === 0) return answer.stdout;
  if (/invalid job id/i.test(answer.stderr + answer.stdout)) return undefined;
  throw unreachable(scontrolSource, schedulerJobId, firstWords(scontrolSource, answer));
}
