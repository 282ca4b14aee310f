import { hostname, networkInterfaces } from 'node:os';
import type { Store } from '../ports/store.ts';
import type { SiteConfig } from '../config/site-schema.ts';
import { awaitState } from '../shared/await-state.ts';
import { JobError } from '../shared/errors.ts';
import type { JobPlan, PlannedNode } from '../shared/job-plan.ts';
import type { NodeField } from '../shared/kvs-keys.ts';
import { controlRange, jobFieldKey, nodeFieldKey, nodeRange } from '../shared/kvs-keys.ts';
import type { JobState } from './job-state.ts';
import { parseJobState } from './job-state.ts';

/** One node of a job on its own host: what its parts share. */
export interface OwnNode {
  readonly site: SiteConfig;
  readonly store: Store;
  readonly plan: JobPlan;
  readonly node: PlannedNode;
  /** Aborts with a `JobError` when this process is told to end. */
  readonly told: AbortSignal;
}

/** The plan's node that belongs to this host, by its name or, where names differ, by its address. */
export function findOwnNode(plan: JobPlan): PlannedNode {
  const own = hostname();
  const short = (name: string): string => name.split('.')[0] ?? name;
  const byName =
    plan.nodes.find(({ host }) => host === own) ?? plan.nodes.find(({ host }) => short(host) === short(own));
  if (byName !== undefined) return byName;
  const addresses = new Set(
    Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address)),
  );
  const byAddress = plan.nodes.find(({ hostAddress }) => hostAddress !== undefined && addresses.has(hostAddress));
  if (byAddress !== undefined) return byAddress;
  throw new JobError({
    code: 'JOB_NOT_YOURS',
    message: `Host ${own} is not one of the hosts of job ${plan.job} (${plan.nodes
      .slice(0, 8)
      .map(({ host }) => host)
      .join(', ')}${plan.nodes.length > 8 ? ', …' : ''}).`,
  });
}

/** Publishes values of this node in one transaction. Fails with `STORE_UNREACHABLE`. */
export async function report(own: OwnNode, values: Partial<Record<NodeField, string>>): Promise<void> {
  await own.store.commit({
    // A job that has been released must not come back to life by a late report.
    conditions: [{ kind: 'present', key: jobFieldKey(own.site.site.keyPrefix, own.plan.job, 'PLAN') }],
    puts: putsOf(own, values),
  });
}

/** Takes this node for the calling process; false when another one has it. */
export async function claimNode(own: OwnNode): Promise<boolean> {
  const { keyPrefix } = own.site.site;
  const { job } = own.plan;
  const phase = nodeFieldKey(keyPrefix, job, own.node.index, 'PHASE');
  const isOurs = await own.store.commit({
    conditions: [
      { kind: 'absent', key: phase },
      { kind: 'present', key: jobFieldKey(keyPrefix, job, 'PLAN') },
    ],
    puts: putsOf(own, { PHASE: 'creating', HOST: own.node.host }),
  });
  if (isOurs) return true;
  // A retried claim may have met its own success; should it be another process's, the container's name still decides.
  const entries = await own.store.read(nodeRange(keyPrefix, job, own.node.index));
  return parseJobState(keyPrefix, job, entries).nodes.get(own.node.index)?.phase === 'creating';
}

function putsOf(own: OwnNode, values: Partial<Record<NodeField, string>>): { key: string; value: string }[] {
  return Object.entries(values).map(([field, value]) => ({
    key: nodeFieldKey(own.site.site.keyPrefix, own.plan.job, own.node.index, field as NodeField),
    value,
  }));
}

/**
 * Waits until `judge` finds something in the job's control keys; undefined when the job has ended first.
 * Fails with the reason of `told`. While the store is away it waits on: a running job goes on without it.
 */
export async function awaitControl<T>(
  own: OwnNode,
  judge: (state: JobState) => T | undefined,
  stop?: AbortSignal,
): Promise<T | undefined> {
  const signal = stop === undefined ? own.told : AbortSignal.any([own.told, stop]);
  const { keyPrefix } = own.site.site;
  const outcome = await awaitState<{ readonly found: T | undefined }>(
    own.store,
    controlRange(keyPrefix, own.plan.job),
    (entries) => {
      const state = parseJobState(keyPrefix, own.plan.job, entries);
      // A plan of another token: this job was released and opened anew while we were away.
      if (state.finish !== 'running' || state.plan?.token !== own.plan.token) return { found: undefined };
      const found = judge(state);
      return found === undefined ? undefined : { found };
    },
    { signal, tolerateOutage: true },
  );
  return outcome.kind === 'reached' ? outcome.value.found : undefined;
}
