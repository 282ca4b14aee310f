import { isErrorCode, JobError } from '../../values/errors.ts';
import { nodeHostname } from '../../contract/job-key.ts';
import { moreMemoryHint } from '../../values/own-memory.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import type { JobState } from '../job/job-state.ts';

/** What is late when the deadline of a phase has passed. */
export type Wait = 'publish its address' | 'get ready' | 'begin' | 'finish';

/** Fails with what keeps the job from going on, if anything does: its lost lease, or a node that is lost or has failed. */
export function throwOnTrouble(plan: JobPlan, state: JobState): void {
  if (state.finish === 'absent') throw leaseLost(plan);
  for (const node of state.nodes.values()) {
    if (node.error !== undefined) throw nodeError(plan, node.index, node.error);
    if (node.isLost) throw lostNodeError(plan, node.index);
  }
}

/** FINISH hangs on the keeper's lease, and is gone. */
export function leaseLost({ job }: JobPlan): JobError {
  return new JobError({
    code: 'LEASE_LOST',
    message: `The lease of job ${job} in etcd has ended, so its hosts end it too.`,
    hint: 'The host of the batch script, or etcd itself, stood still or was cut off for longer than etcd.leaseTtlSeconds. Submit the job again.',
  });
}

/** PHASE hangs on a lease of the node's helper, and it is gone. */
const lostNode =
  'NODE_LOST: its helper has died, or its host is down or cut off. Safe to submit again; if that does not help, ask the administrators to look at this host.';

/** A node whose helper is gone without a word. */
export class LostNode extends JobError {}

/** What is said of it where nothing better is known. */
export function lostNodeError(plan: JobPlan, index: number): LostNode {
  return new LostNode(nodeError(plan, index, lostNode));
}

/** What the scheduler's launcher has told of a node: the kernel has killed its helper. */
export function killedForMemoryError(plan: JobPlan, index: number): JobError {
  const where = `${nodeHostname(plan.job, index)} on host ${plan.nodes[index]?.host ?? '?'}`;
  return new JobError({
    code: 'OUT_OF_MEMORY',
    message: `${where}: memory ran out there, and the kernel killed its helper.`,
    hint: moreMemoryHint,
  });
}

function nodeError(plan: JobPlan, index: number, error: string): JobError {
  const match = /^([A-Z_]+): ?(.*)$/s.exec(error);
  const code = match?.[1] ?? '';
  const rule = /^.* \(site\.yaml (.{1,600})\)$/s.exec(error)?.[1];
  return new JobError({
    code: isErrorCode(code) ? code : 'BUG',
    message: `${nodeHostname(plan.job, index)} on host ${plan.nodes[index]?.host ?? '?'}: ${match?.[2] ?? error}`,
    rule: isErrorCode(code) ? rule : undefined,
  });
}

/** Why the job ends whose phase was not over in time. */
export function tooLate(plan: JobPlan, state: JobState | undefined, seconds: number, waitedFor: Wait): JobError {
  switch (waitedFor) {
    case 'publish its address':
    case 'get ready':
      return lateError(plan, state, seconds, waitedFor);
    case 'begin':
      return new JobError({
        code: 'SCRIPT_LATE',
        message: `The job's script did not begin within ${seconds} s after its containers were ready.`,
        hint: 'Another pre-execution command of the job may take long (bsub -E). (Administrators: deadlines.scriptSeconds in site.yaml.)',
      });
    case 'finish':
      return new JobError({
        code: 'TIME_LIMIT',
        message: `The job ran for ${seconds} s, the most that application ${plan.application ?? '?'} may at this site.`,
        hint: 'See site.yaml applications.*.maxRunSeconds.',
      });
  }
}

/** Names who is missing and where it hangs; the first few of many. */
function lateError(plan: JobPlan, state: JobState | undefined, seconds: number, waitedFor: Wait): JobError {
  const late = plan.nodes.filter(({ index }) => {
    const node = state?.nodes.get(index);
    return waitedFor === 'get ready' ? node?.isReady !== true : node?.hostPublicKey === undefined;
  });
  const shown = late
    .slice(0, 8)
    .map(
      ({ index, host }) =>
        `${nodeHostname(plan.job, index)} on ${host} (${state?.nodes.get(index)?.phase ?? 'not started'})`,
    );
  return new JobError({
    code: 'NODE_LATE',
    message: `${late.length} of ${plan.nodes.length} nodes did not ${waitedFor} within ${seconds} s: ${shown.join(', ')}${late.length > shown.length ? ', …' : ''}.`,
    hint: 'Safe to submit again; if that does not help, ask the administrators to look at these hosts.',
  });
}
