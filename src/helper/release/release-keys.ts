import * as z from 'zod';
import type { Condition } from '../../ports/store.ts';
import { asClause, asJobError } from '../../values/errors.ts';
import type { HostsEnd, UsedByNode } from '../../contract/helper-events.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import { formatPlan } from '../../contract/plan-text.ts';
import { nodeUsageSchema } from '../../contract/node-usage.ts';
import { freeSubnet } from '../job/claim-subnet.ts';
import { findUnreleased } from '../job/find-unreleased.ts';
import type { JobState } from '../job/job-state.ts';
import type { JobStore } from '../job/job-store.ts';
import type { HelperContext } from '../open-context.ts';
import { findJsonAs } from '../../values/parse-json-as.ts';

/** What the release of a job has come to. */
export interface KeysRelease {
  /** What had to be left, and where; empty when nothing is. */
  readonly leftovers: readonly string[];
  readonly hosts: HostsEnd;
  /** What the nodes that could tell have used. */
  readonly usage: readonly UsedByNode[];
}

/**
 * Waits until every host has released its node, then removes the job's keys and, last of all, frees its subnet.
 * Returns what had to be left: hosts that did not report keep the keys and the subnet, so that no address is
 * handed out twice; the scheduler's epilog or `release-job` does the rest.
 */
export async function releaseKeys(
  { site }: HelperContext,
  jobStore: JobStore,
  plan: JobPlan,
  launcherEnded: AbortSignal,
): Promise<KeysRelease> {
  const deadlineMs = (site.deadlines.releaseSeconds + site.deadlines.stopSeconds) * 1000;
  try {
    const release = await awaitReleases(jobStore, plan, launcherEnded, deadlineMs);
    if (release.leftovers.length === 0) await removeKeys(jobStore, plan);
    return release;
  } catch (error) {
    const leftovers = [`keys and subnet ${plan.network.cidr} of job ${plan.job} in etcd: ${asClause(error)}`];
    return { leftovers, hosts: asJobError(error).code === 'STORE_UNREACHABLE' ? 'untold' : 'unsure', usage: [] };
  }
}

/** A helper that the launcher starts this late still finds the plan, and sees that the job is over. */
const stragglersMs = 4000;

async function awaitReleases(
  jobStore: JobStore,
  plan: JobPlan,
  launcherEnded: AbortSignal,
  deadlineMs: number,
): Promise<KeysRelease> {
  const lookFor =
    (neverStartedIsFine: boolean) =>
    (state: JobState): Omit<KeysRelease, 'hosts'> | undefined => {
      const left = findUnreleased(plan, state, neverStartedIsFine);
      // A helper that died reports nothing: its host is for the scheduler's epilog.
      const lost = plan.nodes.filter(({ index }) => state.nodes.get(index)?.isLost === true);
      return left.length === lost.length ? { leftovers: left, usage: usageIn(plan, state) } : undefined;
    };
  const early = { part: 'nodes', deadlineMs: Math.min(deadlineMs, stragglersMs), signal: launcherEnded } as const;
  const soon = await jobStore.until(lookFor(false), early).catch((error: unknown) => {
    if (!launcherEnded.aborted) throw error;
    return undefined;
  });
  if (soon?.kind === 'reached') return { ...soon.value, hosts: 'done' };
  // FINISH is not FALSE any more, so no node can begin: one that never began has nothing to release.
  const outcome = await jobStore.until(lookFor(true), { part: 'nodes', deadlineMs });
  if (outcome.kind === 'reached') return { ...outcome.value, hosts: 'unsure' };
  if (outcome.outage !== undefined) throw outcome.outage;
  const leftovers = findUnreleased(plan, outcome.last, true);
  return { leftovers, hosts: 'unsure', usage: usageIn(plan, outcome.last) };
}

function usageIn({ nodes }: JobPlan, state: JobState): readonly UsedByNode[] {
  return nodes.flatMap(({ index, host }) => {
    const usage = findJsonAs(nodeUsageSchema, state.nodes.get(index)?.usage ?? '');
    return usage === undefined ? [] : [{ index, host, ...usage }];
  });
}

/**
 * Removes the keys of exactly this run of the job, then frees its subnet; repeat-safe. A plan that somebody has changed is this run's
 * by its token; keys without any plan are nobody's.
 */
export async function removeKeys(jobStore: JobStore, plan: JobPlan): Promise<void> {
  const { store, prefix, job } = jobStore;
  const { token, network } = plan;
  const removeIf = async (text: string): Promise<boolean> =>
    await store.commit({ conditions: [jobStore.has('PLAN', text)], deletes: [jobStore.ranges.all] });
  if (!(await removeIf(formatPlan(plan)))) {
    const text = await jobStore.readField('PLAN');
    if (text === undefined) await removeOrphanKeys(jobStore);
    else if (tokenIn(text) === token) await removeIf(text);
  }
  await freeSubnet(store, { prefix, cidr: network.cidr, job, token });
}

/**
 * Removes all keys of a job that has no plan; no node can follow it any more, and none begins. True when there is none afterwards of a
 * job without a plan; false when it has a plan, or FINISH=FALSE under the lease of somebody who still keeps it.
 */
export async function removeOrphanKeys(jobStore: JobStore): Promise<boolean> {
  const removeIf = async (finish: Condition): Promise<boolean> =>
    await jobStore.store.commit({ conditions: [jobStore.lacks('PLAN'), finish], deletes: [jobStore.ranges.all] });
  return (await removeIf(jobStore.lacks('FINISH'))) || (await removeIf(jobStore.has('FINISH', 'TRUE')));
}

/** The token of a plan, whatever else is in it; undefined when there is none. */
function tokenIn(text: string): string | undefined {
  return findJsonAs(z.object({ token: z.string() }), text)?.token;
}
