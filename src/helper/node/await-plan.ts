import type { SiteConfig } from '../../config/site-schema.ts';
import type { JobKey } from '../../contract/job-key.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import { JobError } from '../../values/errors.ts';
import { notYours } from '../caller/identify-caller.ts';
import type { JobState } from '../job/job-state.ts';
import type { JobStore } from '../job/job-store.ts';
import type { FollowedJob } from './follow-control.ts';
import { within } from '../../system/deadline.ts';

const tooLate = Symbol('too late');

/**
 * The plan of this launch, which may still be on its way: the launcher starts while the job is being opened, and that may
 * wait for the clean-up of an earlier call, or for a Docker Engine that is slow to answer. Undefined when this process is
 * told to end before, since the job was refused, and when the job is over. Fails with `JOB_BUSY` when the job is another
 * call's after `openSeconds`, and with `NODE_LATE` when it is not open after the time of one more call of the engine. With
 * `ownerUid` the plan of another user is as good as none: nobody learns of others' jobs.
 */
export async function awaitPlan(
  site: SiteConfig,
  jobStore: JobStore,
  followed: FollowedJob,
  told: AbortSignal,
  ownerUid?: number,
): Promise<JobPlan | undefined> {
  const isTheirs = ({ plan }: JobState): boolean => ownerUid === undefined || plan?.user.uid === ownerUid;
  const planOrEnd = async (): Promise<JobPlan | undefined> => {
    const plan = await followed.until((state) => (isTheirs(state) ? state.plan : undefined));
    if (plan !== undefined || told.aborted || isTheirs(await jobStore.read())) return plan;
    return await new Promise<never>(() => undefined); // nobody learns by the time how it stands with others' jobs
  };
  try {
    const coming = planOrEnd();
    coming.catch(() => undefined);
    const openMs = site.deadlines.openSeconds * 1000;
    const soon = await within(openMs, coming, tooLate);
    if (soon !== tooLate) return soon;
    const state = await jobStore.read(); // says so itself when the store cannot be reached
    if (state.plan !== undefined && isTheirs(state)) throw openedByAnother(jobStore.job);
    const late = await within(site.docker.callTimeoutMs, coming, tooLate);
    if (late !== tooLate) return late;
    throw ownerUid === undefined ? neverOpened(jobStore.job, site) : notYours(jobStore.job);
  } catch (error) {
    if (told.aborted) return undefined;
    throw error;
  }
}

/** For those of whom the kernel says that they are in the job. */
function neverOpened(job: JobKey, { deadlines, docker }: SiteConfig): JobError {
  return new JobError({
    code: 'NODE_LATE',
    message: `Job ${job} was not opened within ${Math.round(deadlines.openSeconds + docker.callTimeoutMs / 1000)} s.`,
    hint: "Safe to submit again; if it stays, ask the administrators to look at dockerd and etcd on the job's first host.",
  });
}

/** Two calls in one job at the same time: only the nodes of the one that has opened it may take its hosts. */
function openedByAnother(job: JobKey): JobError {
  return new JobError({
    code: 'JOB_BUSY',
    message: `Job ${job} was opened by another call of hpc-submit-dockerjob.`,
    hint: 'One call of hpc-submit-dockerjob at a time: wait until the first one has ended.',
  });
}
