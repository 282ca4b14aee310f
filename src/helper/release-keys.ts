import { setTimeout as pause } from 'node:timers/promises';
import type { Store } from '../ports/store.ts';
import { awaitState } from '../shared/await-state.ts';
import { asJobError } from '../shared/errors.ts';
import { nodeHostname } from '../shared/job-key.ts';
import type { JobPlan } from '../shared/job-plan.ts';
import { jobFieldKey, jobRange, nodesRange } from '../shared/kvs-keys.ts';
import { freeSubnet } from './claim-subnet.ts';
import { parseJobState } from './job-state.ts';
import type { JobState } from './job-state.ts';
import type { HelperContext } from './open-context.ts';

/**
 * Waits until every host has released its node, then removes the job's keys and, last of all, frees its subnet.
 * Returns what had to be left: hosts that did not report keep the keys and the subnet, so that no address is
 * handed out twice; the scheduler's epilog or `release-job` does the rest.
 */
export async function releaseKeys(
  context: HelperContext,
  store: Store,
  plan: JobPlan,
  launcherEnded: AbortSignal,
): Promise<readonly string[]> {
  const { site } = context;
  const deadlineMs = (site.deadlines.releaseSeconds + site.deadlines.stopSeconds) * 1000;
  try {
    const late = await awaitReleases(store, site.site.keyPrefix, plan, launcherEnded, deadlineMs);
    if (late.length > 0) return late;
    await removeKeys(store, site.site.keyPrefix, plan);
    return [];
  } catch (error) {
    return [`keys and subnet ${plan.network.cidr} of job ${plan.job} in etcd: ${asJobError(error).message}`];
  }
}

async function awaitReleases(
  store: Store,
  prefix: string,
  plan: JobPlan,
  launcherEnded: AbortSignal,
  deadlineMs: number,
): Promise<readonly string[]> {
  const range = nodesRange(prefix, plan.job);
  const judge = (entries: Parameters<typeof parseJobState>[2]): true | undefined =>
    findUnreleased(plan, parseJobState(prefix, plan.job, entries), false).length === 0 ? true : undefined;
  const outcome = await awaitState(store, range, judge, { deadlineMs, signal: launcherEnded }).catch(
    (error: unknown) => {
      if (!launcherEnded.aborted) throw error;
      return undefined;
    },
  );
  if (outcome?.kind === 'reached') return [];
  // With the launcher gone no node can begin any more: one that never began has nothing to release.
  const state = parseJobState(prefix, plan.job, await store.read(range));
  return findUnreleased(plan, state, launcherEnded.aborted);
}

/** Nodes of which something may still be on their host. */
export function findUnreleased(plan: JobPlan, state: JobState, neverStartedIsFine: boolean): readonly string[] {
  return plan.nodes
    .filter(({ index }) => {
      const node = state.nodes.get(index);
      return node === undefined ? !neverStartedIsFine : node.phase !== 'released';
    })
    .map(
      ({ index, host }) =>
        `${nodeHostname(plan.job, index)} on host ${host} (last seen ${state.nodes.get(index)?.phase ?? 'planned'})`,
    );
}

/** Removes the keys of exactly this run of the job, then frees its subnet; repeat-safe. */
export async function removeKeys(store: Store, prefix: string, plan: JobPlan): Promise<void> {
  const planKey = jobFieldKey(prefix, plan.job, 'PLAN');
  await store.commit({
    conditions: [{ kind: 'value', key: planKey, equals: JSON.stringify(plan) }],
    deletes: [jobRange(prefix, plan.job)],
  });
  await freeSubnet(store, { prefix, cidr: plan.network.cidr, job: plan.job, token: plan.token });
}

/** Gives a clean-up some tries while the store is away. */
export async function persist<T>(tries: number, action: () => Promise<T>): Promise<T> {
  for (let left = tries; ; left--) {
    try {
      return await action();
    } catch (error) {
      if (left <= 1) throw error;
      await pause(500);
    }
  }
}
