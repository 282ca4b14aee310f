import type { ConfirmedJob } from '../ports/scheduler.ts';
import { JobError } from '../shared/errors.ts';
import { parseJobKey } from '../shared/job-key.ts';
import { isSchedulerJobId } from '../shared/schedulers.ts';
import { askBjobs } from './ask-bjobs.ts';
import type { BjobsOptions } from './ask-bjobs.ts';
import type { JobFacts } from './bjobs-forms.ts';
import { findUid } from './find-uid.ts';
import { parseExecHosts } from './parse-exec-hosts.ts';

/** States in which the job holds its hosts and its processes may act; a suspended one goes on later. */
const liveStates: readonly string[] = ['RUN', 'USUSP', 'SSUSP'];

/** States in which none of its processes is on any host; in every other, known or not, some may be. */
const overStates: readonly string[] = ['DONE', 'EXIT', 'PEND', 'PSUSP', 'WAIT'];

/**
 * What LSF says of a job that holds its hosts now. Fails with `JOB_NOT_YOURS` when it knows no such job or the job is
 * over, with `SCHEDULER_UNREACHABLE` when it does not answer within 10 seconds.
 */
export async function confirmJob(options: BjobsOptions, schedulerJobId: string): Promise<ConfirmedJob> {
  if (!isSchedulerJobId('lsf', schedulerJobId)) throw notARunningJob(schedulerJobId, 'it is no job id');
  const facts = await askBjobs(options, schedulerJobId);
  if (facts === undefined) throw notARunningJob(schedulerJobId, 'LSF knows no such job');
  if (!liveStates.includes(facts.state))
    throw notARunningJob(schedulerJobId, `its state is ${facts.state.slice(0, 20)}`);
  const job = parseJobKey(schedulerJobId.replace('[', '_').replace(']', ''));
  const slots = parseExecHosts(facts.execHosts ?? '');
  if (job === undefined || slots === undefined) throw unreadable(facts);
  return { job, schedulerJobId, uid: await findUid(facts.user), hosts: [...slots.keys()], slots };
}

/**
 * True when LSF knows no such job (any more), or says that none of its processes can be on any host. Fails with
 * `SCHEDULER_UNREACHABLE`.
 */
export async function isJobOver(options: BjobsOptions, schedulerJobId: string): Promise<boolean> {
  if (!isSchedulerJobId('lsf', schedulerJobId)) return false;
  const facts = await askBjobs(options, schedulerJobId);
  return facts === undefined || overStates.includes(facts.state);
}

function notARunningJob(schedulerJobId: string, reason: string): JobError {
  return new JobError({
    code: 'JOB_NOT_YOURS',
    message: `Job ${JSON.stringify(schedulerJobId.slice(0, 60))} is not a running LSF job: ${reason}.`,
    hint: 'Call hpc-submit-dockerjob in the batch script of a job that runs now.',
  });
}

function unreadable(facts: JobFacts): JobError {
  return new JobError({
    code: 'SCHEDULER_UNREACHABLE',
    message: `bjobs gave an answer that cannot be read: ${JSON.stringify(facts).slice(0, 400)}.`,
    hint: 'Is this release of LSF supported? Please report the line.',
  });
}
