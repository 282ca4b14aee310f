import { nodeHostname } from '../../contract/job-key.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import type { JobState, NodeState } from './job-state.ts';

/** Nodes of which something may still be on their host. */
export function findUnreleased(plan: JobPlan, state: JobState, neverStartedIsFine: boolean): readonly string[] {
  return plan.nodes
    .filter(({ index }) => {
      const node = state.nodes.get(index);
      return node === undefined ? !neverStartedIsFine : node.phase !== 'released';
    })
    .map(
      ({ index, host }) => `${nodeHostname(plan.job, index)} on host ${host} (${describeNode(state.nodes.get(index))})`,
    );
}

function describeNode(node: NodeState | undefined): string {
  return node?.isLost === true
    ? "its helper has died; the scheduler's epilog cleans up there"
    : `last seen ${node?.phase ?? 'planned'}`;
}
