import { commandNode } from '../../contract/job-key.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import type { JobPhase } from '../../contract/shown-job.ts';
import type { JobState } from '../job/job-state.ts';

/** What `findPhase` looks at: the job's control keys, and of its nodes the one that runs the command. */
export type PhaseFacts = Pick<JobState, 'finish' | 'wanted' | 'hasStarted' | 'roster' | 'nodes'>;

/** Where a job as a whole stands. */
export function findPhase({ command }: Pick<JobPlan, 'command'>, state: PhaseFacts): JobPhase {
  if (state.finish !== 'running') return 'ending';
  if (isSuspended(state)) return 'suspended';
  if (state.hasStarted) return 'running';
  if (state.roster === undefined) return 'starting';
  return command.kind === 'later' ? 'ready' : 'discovering';
}

/** By the scheduler's word, or, where that tells the nodes alone, by theirs. */
export function isSuspended({ wanted, nodes }: Pick<JobState, 'wanted' | 'nodes'>): boolean {
  return wanted === 'suspended' || nodes.get(commandNode)?.phase === 'suspended';
}
