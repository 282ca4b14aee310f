import { askScheduler, firstWords, unreachable, unreadable } from '../confirmation/ask-scheduler.ts';
import { isSchedulerJobId } from '../contract/schedulers.ts';
import { parseTimeLeft } from './parse-time-left.ts';
import { slurm } from './squeue-source.ts';

/**
 * For how long Slurm itself has kept a running job suspended: its time used leaves that out, its start does not. What users
 * do to their own processes (`scancel --signal=TSTP`) is no suspension of Slurm's. 0 for a job that Slurm does not know.
 * Fails with `SCHEDULER_UNREACHABLE`.
 */
export async function readSuspendedSeconds(squeue: string, schedulerJobId: string): Promise<number> {
  if (!isSchedulerJobId('slurm', schedulerJobId)) return 0;
  // squeue counts the time used by this host's clock, after this moment.
  const nowSeconds = Math.floor(Date.now() / 1000);
  const argv = ['--noheader', '--array', '--states=all', `--jobs=${schedulerJobId}`, '--format=%A|%S|%M'];
  const environment = { SLURM_TIME_FORMAT: '%s' };
  const answer = await askScheduler(slurm, schedulerJobId, { file: squeue, argv, environment });
  if (answer.exitCode !== 0) {
    if (/invalid job id/i.test(answer.stderr)) return 0;
    throw unreachable(slurm, schedulerJobId, firstWords(slurm, answer));
  }
  // The id of an array stands for all its elements, so others may be in the answer.
  const time = readTimes(answer.stdout).find(({ jobId }) => jobId === schedulerJobId);
  if (time === undefined) return 0;
  if (time.startSeconds === undefined || time.usedSeconds === undefined) throw unreadable(slurm, answer.stdout);
  return Math.max(0, nowSeconds - time.startSeconds - time.usedSeconds);
}

interface JobTimes {
  readonly jobId: string;
  readonly startSeconds: number | undefined;
  readonly usedSeconds: number | undefined;
}

/** The times in squeue's answer, a job a line; those of no known form are undefined. */
export function readTimes(stdout: string): readonly JobTimes[] {
  return stdout
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(readLine);
}

function readLine(line: string): JobTimes {
  const [jobId = '', start = '', used = ''] = line.split('|').map((value) => value.trim());
  return {
    jobId,
    startSeconds: /^\d{1,12}$/.test(start) ? Number(start) : undefined,
    // INVALID stands for a used time below 0.
    usedSeconds: used === 'INVALID' ? undefined : parseTimeLeft(used),
  };
}
