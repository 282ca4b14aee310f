import type { Put } from '../../ports/store.ts';
import type { SiteConfig } from '../../config/site-schema.ts';
import type { JobPlan, PlannedNode } from '../../contract/job-plan.ts';
import type { NodeUsage } from '../../contract/node-usage.ts';
import type { NodeField } from '../../contract/kvs-keys.ts';
import { keyOnly } from '../../contract/kvs-keys.ts';
import type { JobStore } from '../job/job-store.ts';
import { makeToken } from '../job/make-token.ts';
import type { FollowedJob } from './follow-control.ts';
import type { Lifeline } from '../job/lifeline.ts';

/** One node of a job on its own host: what its parts share. */
export interface OwnNode {
  readonly site: SiteConfig;
  /** As this run of the job may write to it. */
  readonly jobStore: JobStore;
  readonly plan: JobPlan;
  readonly node: PlannedNode;
  readonly followed: FollowedJob;
  /** Aborts with a `JobError` when this process is told to end. */
  readonly told: AbortSignal;
  /** PHASE hangs on it until the node is at its end: so the keeper sees when this process dies. */
  readonly life: Lifeline;
  /** True when signals for the command come by the store alone, see `SchedulerAuthority.signalsBatchScript`. */
  readonly signalsByStore: boolean;
  /** Milliseconds since this process began at which each step was done; for the audit record, to find slow hosts. */
  readonly stepTimesMs: Record<string, number>;
  /** Of the container, filled in while it is still there; empty when it went before. */
  readonly usage: NodeUsage;
}

/** Notes that a step is done. */
export function reached(own: OwnNode, step: string): void {
  own.stepTimesMs[step] = Math.round(performance.now());
}

/** Publishes values of this node in one transaction. Fails with `STORE_UNREACHABLE`. */
export async function report(own: OwnNode, values: Partial<Record<NodeField, string>>): Promise<void> {
  // A job that has been released must not come back to life by a late report.
  const { jobStore } = own;
  await jobStore.store.commit({ conditions: [jobStore.isOpen], puts: putsOf(own, values) });
}

/** The node's USAGE, where it is known. */
export function usageOf({ usage }: OwnNode): Partial<Record<NodeField, string>> {
  return Object.keys(usage).length === 0 ? {} : { USAGE: JSON.stringify(usage) };
}

/**
 * Takes this node for the calling process; false when another one has it, or when the job has ended: once FINISH is
 * not FALSE no node can begin any more, which is what makes it safe to release a job some of whose nodes never began.
 */
export async function claimNode(own: OwnNode): Promise<boolean> {
  const { jobStore, node } = own;
  const claim = makeToken();
  const isUnclaimed = { kind: 'absent', key: jobStore.nodeKey(node.index, 'HOST') } as const;
  const isOurs = await jobStore.store.commit({
    conditions: [isUnclaimed, jobStore.isOpen, jobStore.isRunning],
    puts: putsOf(own, { PHASE: 'creating', HOST: node.host, CLAIM: claim }),
  });
  if (isOurs) return true;
  // A retried claim may have met its own success.
  const [entry] = await jobStore.store.read(keyOnly(jobStore.nodeKey(node.index, 'CLAIM')));
  return entry?.value === claim;
}

function putsOf(own: OwnNode, values: Partial<Record<NodeField, string>>): Put[] {
  return Object.entries(values).map(([field, value]) => {
    const key = own.jobStore.nodeKey(own.node.index, field as NodeField);
    const { lease } = own.life;
    const isForLife = field === 'PHASE' && value !== 'failed' && value !== 'released';
    return { key, value, ...(isForLife && lease !== undefined ? { lease } : {}) };
  });
}
