import { existsSync } from 'node:fs';
import type { SiteConfig } from '../../config/site-schema.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { connectLocalStore } from '../../local-store/connect-local-store.ts';
import { retryUntil } from '../../system/retry-until.ts';
import { asJobError } from '../../values/errors.ts';
import { jobRunDirectory, localStoreSocket } from '../host/run-directory.ts';
import type { JobState } from '../job/job-state.ts';
import type { JobStore } from '../job/job-store.ts';
import { jobStoreOf } from '../job/open-store.ts';
import { isOfSameJob } from './claim-job.ts';
import type { Claimant } from './claim-job.ts';

/** In which a keeper notices that its call was killed, and ends the job. */
const usualNoticeMs = 2000;
/** In which a keeper that has removed the job's keys takes its last file away. */
const lastFileMs = 1000;
const lookEveryMs = 100;

/** How it stands with a call before: it runs, or its end is known and it is being taken away, or there is none. */
type EarlierCall = 'running' | 'ending' | 'none';

/**
 * Waits while an earlier call in this job is taken away: one that was killed, mostly, whose keeper outlives it by some
 * seconds. Returns at once where there is none, after two seconds where one runs, and in any case before the helpers on the
 * other hosts stop waiting for our plan. Whether the job is free then is not said: whoever claims it sees. Fails as the
 * store's reads do.
 */
async function awaitEarlierCall(
  job: JobKey,
  { deadlines }: SiteConfig,
  look: () => Promise<EarlierCall>,
  noticeMs: number,
): Promise<void> {
  if ((await look()) === 'none') return;
  const begunAt = performance.now();
  const lookAgain = async (): Promise<EarlierCall | undefined> => {
    const found = await look();
    const isSettled = found === 'none' || (found === 'running' && performance.now() - begunAt > noticeMs);
    return isSettled ? found : undefined;
  };
  const found = await retryUntil(lookAgain, { pauseMs: lookEveryMs, deadlineMs: deadlines.openSeconds * 750 });
  if (found !== 'none') return;
  const isForgotten = (): true | undefined => (existsSync(jobRunDirectory(job)) ? undefined : true);
  await retryUntil(isForgotten, { pauseMs: lookEveryMs, deadlineMs: lastFileMs });
}

/**
 * Of a job on several hosts, whose keys are in etcd; returns what they say at the end. Those of another user or job are not
 * waited for.
 */
export async function awaitEarlierKeys(
  site: SiteConfig,
  jobStore: JobStore,
  claimant: Claimant,
  noticeMs = usualNoticeMs,
): Promise<JobState> {
  let last = await jobStore.read('control');
  const judge = (): EarlierCall => (isOfSameJob(last, claimant) ? judgeCall(last) : 'none');
  if (judge() === 'none') return last;
  const look = async (): Promise<EarlierCall> => {
    last = await jobStore.read('control');
    return judge();
  };
  await awaitEarlierCall(jobStore.job, site, look, noticeMs);
  return last;
}

/** Of a job on one host, whose keeper serves its store here. */
export async function awaitEarlierStore(site: SiteConfig, job: JobKey, noticeMs = usualNoticeMs): Promise<void> {
  const socket = localStoreSocket(job);
  let hasEnded = false;
  const look = async (): Promise<EarlierCall> => {
    if (!existsSync(socket)) return 'none';
    await using earlier = jobStoreOf(site, connectLocalStore(socket), job);
    const state = await earlier.read('control').catch((error: unknown) => {
      if (asJobError(error).code === 'STORE_UNREACHABLE') return undefined;
      throw error;
    });
    if (state === undefined) return 'none'; // its keeper is gone: who serves next clears the socket away
    const found = judgeCall(state);
    hasEnded ||= found === 'ending';
    // A store that is served and empty is one of a call that has just begun, or that is just going.
    return found === 'none' ? (hasEnded ? 'ending' : 'running') : found;
  };
  await awaitEarlierCall(job, site, look, noticeMs);
}

/** Keys that nobody keeps any more are no call's: they are taken over. */
function judgeCall({ finish, hasKeeper }: JobState): EarlierCall {
  if (finish === 'running') return 'running';
  return hasKeeper ? 'ending' : 'none';
}
