import type { JobPlan, PlannedNode } from '../../contract/job-plan.ts';
import { findUnreleased } from '../job/find-unreleased.ts';
import type { JobState, NodeState } from '../job/job-state.ts';
import { isSuspended } from './find-phase.ts';

/** Nodes that are named; of more only the number is told. */
const mostNamed = 8;

/** What a job waits for at this moment, and where; a sentence each. Pure: by its keys alone. */
export function findWaits(plan: JobPlan, state: JobState): readonly string[] {
  return findAll(plan, state).map((sentence) => sentence.charAt(0).toUpperCase() + sentence.slice(1));
}

function findAll(plan: JobPlan, state: JobState): readonly string[] {
  if (state.finish !== 'running') return findEndWaits(plan, state);
  const lost = plan.nodes.filter(({ index }) => state.nodes.get(index)?.isLost === true);
  const faults = [
    ...(state.hasKeeper ? [] : ['Nobody keeps it any more: its hosts end it as soon as its lease has run out.']),
    ...(lost.length === 0 ? [] : [`The helper of ${nameNodes(lost)} has died: the job is about to end.`]),
  ];
  if (isSuspended(state)) return [...faults, 'It is suspended, and goes on when the scheduler resumes it.'];
  if (state.hasStarted) return [...faults, `Its command runs on ${nameNodes(plan.nodes.slice(0, 1))}.`];
  if (state.roster === undefined) return [...faults, ...findStartWaits(plan, state)];
  const unready = plan.nodes.filter(({ index }) => state.nodes.get(index)?.isReady !== true);
  if (unready.length > 0)
    return [
      ...faults,
      `${nameNodes(unready)} ${verb(unready, 'has', 'have')} not said yet that the others can be reached.`,
    ];
  if (plan.command.kind === 'later')
    return [...faults, 'All its nodes are ready. The batch script has not called hpc-submit-dockerjob yet.'];
  return [...faults, 'All its nodes are ready; its command is about to start.'];
}

function findEndWaits(plan: JobPlan, state: JobState): readonly string[] {
  const unreleased = findUnreleased(plan, state, false);
  if (unreleased.length === 0) return ['All hosts are clean; its keys are about to be removed.'];
  const named = unreleased.slice(0, mostNamed).join('; ');
  const more = unreleased.length - mostNamed;
  return [`It is over. Something of it may still be there: ${named}${more > 0 ? `; and ${more} more` : ''}.`];
}

/** Why there is no roster yet: who has not begun, who makes a container, whose container has not told its address. */
function findStartWaits(plan: JobPlan, state: JobState): readonly string[] {
  const kinds = Map.groupBy(plan.nodes, ({ index }) => findStep(state.nodes.get(index)));
  if (kinds.get('told')?.length === plan.nodes.length) return ['All its containers have told their keys.'];
  return (Object.keys(sentences) as Step[]).flatMap((step) => {
    const nodes = kinds.get(step) ?? [];
    return nodes.length === 0 ? [] : [`${nameNodes(nodes)} ${sentences[step](nodes)}.`];
  });
}

type Step = 'absent' | 'fetching' | 'creating' | 'silent';

const sentences: Readonly<Record<Step, (nodes: readonly PlannedNode[]) => string>> = {
  absent: (nodes) =>
    `${verb(nodes, 'has', 'have')} not begun: the scheduler's launcher has not started the helper there`,
  fetching: (nodes) => verb(nodes, 'fetches the image', 'fetch the image'),
  creating: (nodes) => verb(nodes, 'makes its container', 'make their containers'),
  silent: (nodes) => `${verb(nodes, 'has a container that has', 'have containers that have')} not told the keys yet`,
};

function findStep(node: NodeState | undefined): Step | 'told' {
  if (node === undefined) return 'absent';
  if (node.sshPublicKey !== undefined && node.hostPublicKey !== undefined) return 'told';
  if (node.phase === 'fetching') return 'fetching';
  return node.phase === 'planned' || node.phase === 'creating' ? 'creating' : 'silent';
}

function nameNodes(nodes: readonly PlannedNode[]): string {
  const named = nodes.slice(0, mostNamed).map(({ index, host }) => `${index} (${host})`);
  const more = nodes.length - named.length;
  const word = nodes.length === 1 ? 'node' : 'nodes';
  return `${word} ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function verb(nodes: readonly PlannedNode[], one: string, many: string): string {
  return nodes.length === 1 ? one : many;
}
