import { JobError } from '../../values/errors.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { freeHeld, readSubnetClaims } from '../job/claim-subnet.ts';
import { forgetEarlierRuns, readEarlierRuns } from '../job/earlier-runs.ts';
import { endJobInAnyCase } from '../job/end-job.ts';
import { rootShellHint } from '../caller/identify-caller.ts';
import { requireOwnJob } from '../caller/require-own-job.ts';
import type { JobState } from '../job/job-state.ts';
import type { JobStore } from '../job/job-store.ts';
import type { HelperContext } from '../open-context.ts';
import { openStoreToEnd } from '../job/open-store.ts';
import { findUnreleased } from '../job/find-unreleased.ts';
import { removeKeys, removeOrphanKeys } from './release-keys.ts';
import { releaseHere } from './release-here.ts';
import { removeRunDirectory } from '../host/run-directory.ts';
import { releasedFromOutside, releaseNode } from './release-node.ts';

/** How a job was released. */
export interface JobRelease {
  /** False when neither this host nor the store had anything of it. */
  readonly wasThere: boolean;
  /** What is left and where; empty when nothing is. */
  readonly leftovers: readonly string[];
}

export interface ReleaseJobOptions {
  /** Remove keys and subnet although some hosts did not report; for root, after looking at those hosts. */
  readonly isForced: boolean;
}

/**
 * Ends a job wherever it is and removes all of it: tells its hosts through FINISH, cleans this host, waits until
 * the others have reported, then removes keys and subnet. Idempotent.
 */
export async function releaseJob(
  context: HelperContext,
  job: JobKey,
  { isForced }: ReleaseJobOptions,
): Promise<JobRelease> {
  if (isForced && context.caller.kind !== 'root') {
    throw new JobError({
      code: 'NOT_PERMITTED',
      message: 'Only root may release a job by force.',
      hint: `Leave --force out. ${rootShellHint}`,
    });
  }
  await using jobStore = await openStoreToEnd(context.site, job);
  const state = await readUnlessForced(jobStore, isForced);
  if (state === undefined) {
    context.audit.allow('root', { isForced });
    return await removeUnread(context, jobStore);
  }
  if (state.plan !== undefined) {
    await requireOwnJob(context, job, state.plan.user.uid);
    context.audit.allow(context.caller.kind === 'root' ? 'root' : 'owner', { owner: state.plan.user.uid, isForced });
    // What is here is taken away all the same when the store has gone meanwhile.
    await endJobInAnyCase(jobStore.ofRun(state.plan), releasedFromOutside(job)).catch(() => undefined);
  }
  const here = await releaseNode(context, job);
  const leftovers = [...here.leftovers, ...(here.untold === undefined ? [] : [here.untold])];
  if (state.plan === undefined) {
    // Whose it is nobody knows: that is for root.
    if (context.caller.kind !== 'root') return { wasThere: here.wasHere, leftovers };
    if (isForced) await forgetEarlierRuns(jobStore);
    const keys = await jobStore.store.read(jobStore.ranges.all);
    if (keys.length > 0) await removeOrphanKeys(jobStore);
    const freed = await freeOrphanedSubnets(jobStore);
    leftovers.push(...(await findKeys(jobStore)));
    return { wasThere: here.wasHere || freed > 0 || keys.length > 0, leftovers };
  }
  const { plan } = state;
  // Whoever keeps the job removes its keys; one that nobody keeps is finished here.
  const outcome = await jobStore.until(
    (seen) => {
      const isOver = seen.finish !== 'running';
      return seen.plan === undefined || findUnreleased(plan, seen, isOver).length === 0 ? true : undefined;
    },
    { deadlineMs: context.site.deadlines.releaseSeconds * 1000 },
  );
  const late = outcome.kind === 'reached' ? [] : findUnreleased(plan, outcome.last, false);
  if (late.length === 0 || isForced) await removeKeys(jobStore, plan);
  else leftovers.push(...late);
  if (isForced) await forgetEarlierRuns(jobStore);
  if (isForced) leftovers.push(...(await findKeys(jobStore, plan.token)));
  return { wasThere: true, leftovers };
}

/** Undefined when the plan cannot be read and root takes the keys away all the same. */
async function readUnlessForced(jobStore: JobStore, isForced: boolean): Promise<JobState | undefined> {
  try {
    return await jobStore.read();
  } catch (error) {
    if (isForced && error instanceof JobError && error.code === 'PLAN_UNREADABLE') return undefined;
    throw error;
  }
}

/** Without a plan nobody can be waited for: what is here goes, then the keys and the subnets of that job. */
async function removeUnread(context: HelperContext, jobStore: JobStore): Promise<JobRelease> {
  const { job } = jobStore;
  const leftovers = await releaseHere(context, job);
  if (leftovers.length > 0) return { wasThere: true, leftovers };
  await jobStore.store.commit({ deletes: [jobStore.ranges.all] });
  await freeOrphanedSubnets(jobStore);
  await removeRunDirectory(job);
  return { wasThere: true, leftovers };
}

/** What is left of the job in the store, in words; nothing when another run than `token` has it by now. */
async function findKeys(jobStore: JobStore, token?: string): Promise<readonly string[]> {
  const entries = await jobStore.store.read(jobStore.ranges.all);
  if (entries.length === 0) return [];
  const { plan } = jobStore.parse(entries);
  if (plan !== undefined && plan.token !== token) return [];
  return [`${entries.length} keys of job ${jobStore.job} in the store`];
}

/** Claims of a process that died between the claim and the plan: no network was ever made of them. Returns how many. */
async function freeOrphanedSubnets(jobStore: JobStore): Promise<number> {
  const kept = new Set((await readEarlierRuns(jobStore)).map(({ token }) => token));
  const orphans = (await readSubnetClaims(jobStore)).filter(
    ({ claim }) => claim.job === jobStore.job && !kept.has(claim.token),
  );
  for (const held of orphans) await freeHeld(jobStore.store, held);
  return orphans.length;
}
