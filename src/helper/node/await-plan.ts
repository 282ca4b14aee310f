import type { SiteConfig } from '../../config/site-schema.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import { notYours } from '../caller/identify-caller.ts';
import type { JobState } from '../job/job-state.ts';
import type { JobStore } from '../job/job-store.ts';
import type { FollowedJob } from './follow-control.ts';
import { within } from '../../system/deadline.ts';

const tooLate = Symbol('too late');

/**
 * The plan of the job, which may still be on its way: the launcher starts while the job is being opened. Undefined
 * when this process is told to end before, since the job was refused, and when the job is over. With `ownerUid` the plan of
 * another user is as good as none: nobody learns of others' jobs.
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
    const found = await within(site.deadlines.openSeconds * 1000, planOrEnd(), tooLate);
    if (found !== tooLate) return found;
    await jobStore.read(); // says so itself when the store cannot be reached
    throw notYours(jobStore.job);
  } catch (error) {
    if (told.aborted) return undefined;
    throw error;
  }
}
