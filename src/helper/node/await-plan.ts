import { setTimeout as pause } from 'node:timers/promises';
import type { SiteConfig } from '../../config/site-schema.ts';
import type { Store } from '../../ports/store.ts';
import { JobError } from '../../values/errors.ts';
import type { JobKey } from '../../contract/job-key.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import { jobRange } from '../../contract/kvs-keys.ts';
import type { FollowedJob } from './follow-control.ts';

/**
 * The plan of the job, which may still be on its way: the launcher starts while the job is being opened. Undefined
 * when this process is told to end before: the job was refused.
 */
export async function awaitPlan(
  site: SiteConfig,
  store: Store,
  followed: FollowedJob,
  job: JobKey,
  told: AbortSignal,
): Promise<JobPlan | undefined> {
  const late = new AbortController();
  const deadline = async (): Promise<never> => {
    await pause(site.deadlines.openSeconds * 1000, undefined, { signal: late.signal });
    // Says so itself when it cannot be reached.
    await store.read(jobRange(site.site.keyPrefix, job));
    throw new JobError({
      code: 'JOB_NOT_YOURS',
      message: `There is no open job ${job}.`,
      hint: 'run-node is called by hpc-submit-dockerjob on every host of a job.',
    });
  };
  try {
    return await Promise.race([followed.until((state) => state.plan), deadline()]);
  } catch (error) {
    if (told.aborted) return undefined;
    throw error;
  } finally {
    late.abort();
  }
}
