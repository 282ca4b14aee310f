import type { Peer } from '../../contract/agent-protocol.ts';
import { nodeHostname } from '../../contract/job-key.ts';
import type { JobPlan, PlannedNode } from '../../contract/job-plan.ts';
import type { KeyedPeer } from '../../contract/roster-text.ts';
import type { JobState } from './job-state.ts';

const known = new WeakMap<JobPlan, readonly Peer[]>();

/** All nodes of the plan in order, without their keys. */
export function listPlaces(plan: JobPlan): readonly Peer[] {
  const places = known.get(plan) ?? plan.nodes.map((node) => placeOf(plan, node));
  known.set(plan, places);
  return places;
}

function placeOf({ job }: JobPlan, { index, host, ip, slots }: PlannedNode): Peer {
  return { index, hostname: nodeHostname(job, index), host, ip, slots };
}

/** All nodes' addresses and keys in order; undefined until the last one has published. */
export function gatherRoster(plan: JobPlan, { nodes }: Pick<JobState, 'nodes'>): readonly KeyedPeer[] | undefined {
  if (nodes.size < plan.nodes.length) return undefined; // asked at every change
  const roster: KeyedPeer[] = [];
  for (const place of listPlaces(plan)) {
    const { sshPublicKey, hostPublicKey } = nodes.get(place.index) ?? {};
    if (sshPublicKey === undefined || hostPublicKey === undefined) return undefined;
    roster.push({ ...place, sshPublicKey, hostPublicKey });
  }
  return roster;
}
