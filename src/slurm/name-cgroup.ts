import * as z from 'zod';
import { askScheduler, firstWords, unreachable, unreadable } from '../confirmation/ask-scheduler.ts';
import type { JobCgroup } from '../ports/scheduler.ts';
import { isSchedulerJobId } from '../contract/schedulers.ts';
import { findJsonAs } from '../values/parse-json-as.ts';
import { JobError } from '../values/errors.ts';
import { slurm } from './squeue-source.ts';

/** `squeue --json` of Slurm 26.05, the fields that we use. `job_id` is the own id of an array's element. */
const answerSchema = z.object({
  jobs: z.array(z.object({ job_id: z.number().int(), sluid: z.string().nullish() })),
});

/**
 * The cgroup with the id of this job when Slurm says, asked by this squeue, that the job has the SLUID that names the
 * cgroup; undefined when the job has another one, or is not known. What SLURM_JOB_SLUID says is the job's own word, so
 * nobody asks it. Fails with `JOB_NOT_YOURS` when this squeue tells no SLUID, `SCHEDULER_UNREACHABLE` without an answer.
 */
export async function nameCgroup(
  squeue: string,
  cgroup: JobCgroup,
  schedulerJobId: string,
): Promise<JobCgroup | undefined> {
  const { sluid } = cgroup;
  if (sluid === undefined || !isSchedulerJobId('slurm', schedulerJobId)) return undefined;
  const argv = ['--json', '--states=all', `--jobs=${schedulerJobId}`];
  const answer = await askScheduler(slurm, schedulerJobId, { file: squeue, argv });
  if (answer.exitCode !== 0) {
    if (/invalid job id/i.test(answer.stderr)) return undefined;
    throw unreachable(slurm, schedulerJobId, firstWords(slurm, answer));
  }
  const sluids = readSluids(answer.stdout);
  if (sluids === undefined) throw unreadable(slurm, answer.stdout);
  if (!sluids.has(schedulerJobId)) return undefined;
  const told = sluids.get(schedulerJobId);
  if (told === undefined) throw untold(sluid, schedulerJobId);
  return told === sluid ? { ...cgroup, schedulerJobId } : undefined;
}

/**
 * SLUID of each job in squeue's answer, undefined for one of which it tells none; undefined as a whole for an answer that
 * cannot be read, or in which one job has two.
 */
export function readSluids(stdout: string): ReadonlyMap<string, string | undefined> | undefined {
  const answer = findJsonAs(answerSchema, stdout);
  if (answer === undefined) return undefined;
  const sluids = new Map<string, string | undefined>();
  for (const { job_id, sluid } of answer.jobs) {
    if (sluids.has(String(job_id))) return undefined;
    sluids.set(String(job_id), sluid == null || sluid === '' ? undefined : sluid);
  }
  return sluids;
}

function untold(sluid: string, schedulerJobId: string): JobError {
  return new JobError({
    code: 'JOB_NOT_YOURS',
    message: `Slurm names the cgroup of this process by its SLUID ${sluid}, and squeue does not tell which SLUID job ${schedulerJobId} has: nothing proves that this process is part of it.`,
    hint: "Administrators: set CgroupJobIdPaths=yes in cgroup.conf; then the cgroup has the job's id again.",
  });
}
