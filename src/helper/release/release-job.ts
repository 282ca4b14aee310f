import type { Store } from '../../ports/store.ts';
import { awaitState } from '../../system/await-state.ts';
import { JobError } from '../../values/errors.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { jobRange } from '../../contract/kvs-keys.ts';
import { freeHeld, readSubnetClaims } from '../job/claim-subnet.ts';
import { forgetEarlierRuns, readEarlierRuns } from '../job/earlier-runs.ts';
import { storeOfRun } from '../job/store-of-run.ts';
import { endJobInAnyCase } from '../job/end-job.ts';
import { rootShellHint } from '../caller/identify-caller.ts';
import { requireOwnJob } from '../caller/require-own-job.ts';
import { parseJobState } from '../job/job-state.ts';
import type { JobState } from '../job/job-state.ts';
import type { HelperContext } from '../open-context.ts';
import { openStoreToEnd } from '../job/open-store-to-end.ts';
import { findUnreleased } from '../job/find-unreleased.ts';
import { readState } from '../job/read-state.ts';
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
  const { keyPrefix } = context.site.site;
  const store = await openStoreToEnd(context.site, job);
  try {
    const state = await readUnlessForced(context, store, job, isForced);
    if (state === undefined) {
      context.audit.allow('root', { isForced });
      return await removeUnread(context, store, job);
    }
    if (state.plan !== undefined) {
      await requireOwnJob(context, job, state.plan.user.uid);
      context.audit.allow(context.caller.kind === 'root' ? 'root' : 'owner', { owner: state.plan.user.uid, isForced });
      // What is here is taken away all the same when the store has gone meanwhile.
      await endJobInAnyCase(storeOfRun(store, keyPrefix, state.plan), keyPrefix, job, releasedFromOutside(job)).catch(
        () => undefined,
      );
    }
    const here = await releaseNode(context, job);
    const leftovers = [...here.leftovers, ...(here.untold === undefined ? [] : [here.untold])];
    if (state.plan === undefined) {
      // Whose it is nobody knows: that is for root.
      if (context.caller.kind !== 'root') return { wasThere: here.wasHere, leftovers };
      if (isForced) await forgetEarlierRuns(store, keyPrefix, job);
      const keys = await store.read(jobRange(keyPrefix, job));
      if (keys.length > 0) await removeOrphanKeys(store, keyPrefix, job);
      const freed = await freeOrphanedSubnets(store, keyPrefix, job);
      leftovers.push(...(await findKeys(store, keyPrefix, job)));
      return { wasThere: here.wasHere || freed > 0 || keys.length > 0, leftovers };
    }
    const { plan } = state;
    // Whoever keeps the job removes its keys; one that nobody keeps is finished here.
    const outcome = await awaitState(
      store,
      jobRange(keyPrefix, job),
      (entries) => {
        const seen = parseJobState(keyPrefix, job, entries);
        const isOver = seen.finish !== 'running';
        return seen.plan === undefined || findUnreleased(plan, seen, isOver).length === 0 ? true : undefined;
      },
      { deadlineMs: context.site.deadlines.releaseSeconds * 1000 },
    );
    const late =
      outcome.kind === 'reached'
        ? []
        : findUnreleased(plan, parseJobState(keyPrefix, job, outcome.entries ?? []), false);
    if (late.length === 0 || isForced) await removeKeys(store, keyPrefix, plan);
    else leftovers.push(...late);
    if (isForced) await forgetEarlierRuns(store, keyPrefix, job);
    if (isForced) leftovers.push(...(await findKeys(store, keyPrefix, job, plan.token)));
    return { wasThere: true, leftovers };
  } finally {
    await store.close();
  }
}

/** Undefined when the plan cannot be read and root takes the keys away all the same. */
async function readUnlessForced(
  context: HelperContext,
  store: Store,
  job: JobKey,
  isForced: boolean,
): Promise<JobState | undefined> {
  try {
    return await readState(context, store, job);
  } catch (error) {
    if (isForced && error instanceof JobError && error.code === 'PLAN_UNREADABLE') return undefined;
    throw error;
  }
}

/** Without a plan nobody can be waited for: what is here goes, then the keys and the subnets of that job. */
async function removeUnread(context: HelperContext, store: Store, job: JobKey): Promise<JobRelease> {
  const { keyPrefix } = context.site.site;
  const leftovers = await releaseHere(context, job);
  if (leftovers.length > 0) return { wasThere: true, leftovers };
  await store.commit({ deletes: [jobRange(keyPrefix, job)] });
  await freeOrphanedSubnets(store, keyPrefix, job);
  await removeRunDirectory(job);
  return { wasThere: true, leftovers };
}

/** What is left of the job in the store, in words; nothing when another run than `token` has it by now. */
async function findKeys(store: Store, prefix: string, job: JobKey, token?: string): Promise<readonly string[]> {
  const entries = await store.read(jobRange(prefix, job));
  if (entries.length === 0) return [];
  const { plan } = parseJobState(prefix, job, entries);
  if (plan !== undefined && plan.token !== token) return [];
  return [`${entries.length} keys of job ${job} in the store`];
}

/** Claims of a process that died between the claim and the plan: no network was ever made of them. Returns how many. */
async function freeOrphanedSubnets(store: Store, prefix: string, job: JobKey): Promise<number> {
  const kept = new Set((await readEarlierRuns(store, prefix)).map(({ token }) => token));
  const orphans = (await readSubnetClaims(store, prefix)).filter(
    ({ claim }) => claim.job === job && !kept.has(claim.token),
  );
  for (const held of orphans) await freeHeld(store, held);
  return orphans.length;
}
