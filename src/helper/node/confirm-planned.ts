import type { ConfirmedJob, SchedulerAuthority } from '../../ports/scheduler.ts';
import { asJobError, JobError } from '../../values/errors.ts';
import type { JobPlan } from '../../contract/job-plan.ts';

/**
 * The scheduler's word on a job that was seen running when its plan was made. Fails as `confirmJob` does, but with
 * `TERMINATED` when the job is over by the scheduler's word: it was cancelled while it started.
 */
export async function confirmPlanned(
  authority: Pick<SchedulerAuthority, 'confirmJob' | 'isOver'>,
  { job, schedulerJobId, user }: Pick<JobPlan, 'job' | 'schedulerJobId' | 'user'>,
): Promise<ConfirmedJob> {
  try {
    return await authority.confirmJob(schedulerJobId, user.uid);
  } catch (thrown) {
    const isUnknown = asJobError(thrown).code === 'JOB_NOT_YOURS';
    if (!isUnknown || !(await authority.isOver(schedulerJobId))) throw thrown;
    throw new JobError({
      code: 'TERMINATED',
      message: `Job ${job} was cancelled, or has ended, while it was being started: the scheduler says that it is over.`,
    });
  }
}
