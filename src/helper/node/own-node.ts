import type { Put, Store } from '../../ports/store.ts';
import type { SiteConfig } from '../../config/site-schema.ts';
import type { JobPlan, PlannedNode } from '../../contract/job-plan.ts';
import type { NodeField } from '../../contract/kvs-keys.ts';
import { jobFieldKey, keyOnly, nodeFieldKey } from '../../contract/kvs-keys.ts';
import { makeToken } from '../job/make-token.ts';
import type { FollowedJob } from './follow-control.ts';
import type { Lifeline } from '../job/lifeline.ts';

/** One node of a job on its own host: what its parts share. */
export interface OwnNode {
  readonly site: SiteConfig;
  readonly store: Store;
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
}

/** Notes that a step is done. */
export function reached(own: OwnNode, step: string): void {
  own.stepTimesMs[step] = Math.round(performance.now());
}

/** Publishes values of this node in one transaction. Fails with `STORE_UNREACHABLE`. */
export async function report(own: OwnNode, values: Partial<Record<NodeField, string>>): Promise<void> {
  await own.store.commit({
    // A job that has been released must not come back to life by a late report.
    conditions: [{ kind: 'present', key: jobFieldKey(own.site.site.keyPrefix, own.plan.job, 'PLAN') }],
    puts: putsOf(own, values),
  });
}

/**
 * Takes this node for the calling process; false when another one has it, or when the job has ended: once FINISH is
 * not FALSE no node can begin any more, which is what makes it safe to release a job some of whose nodes never began.
 */
export async function claimNode(own: OwnNode): Promise<boolean> {
  const { keyPrefix } = own.site.site;
  const { job } = own.plan;
  const host = nodeFieldKey(keyPrefix, job, own.node.index, 'HOST');
  const claim = makeToken();
  const isOurs = await own.store.commit({
    conditions: [
      { kind: 'absent', key: host },
      { kind: 'present', key: jobFieldKey(keyPrefix, job, 'PLAN') },
      { kind: 'value', key: jobFieldKey(keyPrefix, job, 'FINISH'), equals: 'FALSE' },
    ],
    puts: putsOf(own, { PHASE: 'creating', HOST: own.node.host, CLAIM: claim }),
  });
  if (isOurs) return true;
  // A retried claim may have met its own success.
  const [entry] = await own.store.read(keyOnly(nodeFieldKey(keyPrefix, job, own.node.index, 'CLAIM')));
  return entry?.value === claim;
}

function putsOf(own: OwnNode, values: Partial<Record<NodeField, string>>): Put[] {
  return Object.entries(values).map(([field, value]) => {
    const key = nodeFieldKey(own.site.site.keyPrefix, own.plan.job, own.node.index, field as NodeField);
    const { lease } = own.life;
    const isForLife = field === 'PHASE' && value !== 'failed' && value !== 'released';
    return { key, value, ...(isForLife && lease !== undefined ? { lease } : {}) };
  });
}
