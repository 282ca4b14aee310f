import type { SiteConfig } from '../../config/site-schema.ts';
import type { Store } from '../../ports/store.ts';
import type { JobKey } from '../../contract/job-key.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import { jobRange } from '../../contract/kvs-keys.ts';
import { notYours } from '../caller/identify-caller.ts';
import { parseJobState } from '../job/job-state.ts';
import type { JobState } from '../job/job-state.ts';
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
  store: Store,
  followed: FollowedJob,
  job: JobKey,
  told: AbortSignal,
  ownerUid?: number,
): Promise<JobPlan | undefined> {
  const { keyPrefix } = site.site;
  const read = async (): Promise<JobState> => parseJobState(keyPrefix, job, await store.read(jobRange(keyPrefix, job)));
  const isTheirs = ({ plan }: JobState): boolean => ownerUid === undefined || plan?.user.uid === ownerUid;
  const planOrEnd = async (): Promise<JobPlan | undefined> => {
    const plan = await followed.until((state) => (isTheirs(state) ? state.plan : undefined));
    if (plan !== undefined || told.aborted || isTheirs(await read())) return plan;
    return await new Promise<never>(() => undefined); // nobody learns by the time how it stands with others' jobs
  };
  try {
    const found = await within(site.deadlines.openSeconds * 1000, planOrEnd(), tooLate);
    if (found !== tooLate) return found;
    await read(); // says so itself when the store cannot be reached
    throw notYours(job);
  } catch (error) {
    if (told.aborted) return undefined;
    throw error;
  }
}
