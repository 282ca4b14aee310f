import type { JobPlan } from '../../contract/job-plan.ts';
import { describePlannedImage } from '../../contract/job-plan.ts';
import { nodeUsageSchema } from '../../contract/node-usage.ts';
import type { InspectedJob, ShownJob, ShownNode } from '../../contract/shown-job.ts';
import { findJsonAs } from '../../values/parse-json-as.ts';
import type { JobState } from '../job/job-state.ts';
import { reasonText } from '../job/job-state.ts';
import { findPhase } from './find-phase.ts';
import type { PhaseFacts } from './find-phase.ts';
import { findWaits } from './find-waits.ts';

/** What a list says of a job. */
export function describeJob(plan: JobPlan, state: PhaseFacts): ShownJob {
  return {
    job: plan.job,
    phase: findPhase(plan, state),
    uid: plan.user.uid,
    user: plan.user.name,
    image: plan.image.reference,
    ...(plan.application === undefined ? {} : { application: plan.application }),
    hosts: plan.nodes.map(({ host }) => host),
    network: plan.network.driver,
    openedAt: plan.openedAt,
  };
}

/** All that `inspect` says of a job. Of the environment nothing: it may hold secrets. */
export function inspectPlannedJob(plan: JobPlan, state: JobState): InspectedJob {
  const { end } = state;
  return {
    ...describeJob(plan, state),
    scheduler: plan.scheduler,
    schedulerJobId: plan.schedulerJobId,
    ...describePlannedImage(plan.image),
    ...describeCommand(plan, state),
    workdir: plan.workdir,
    subnet: plan.network.cidr,
    mounts: plan.mounts.map(({ source, target, readOnly }) => `${source}:${target}${readOnly ? ':ro' : ''}`),
    devices: plan.devices,
    maxRunSeconds: plan.maxRunSeconds,
    nodes: plan.nodes.map(({ index, host, ip, slots }) => ({ index, host, ip, slots, ...describeNode(state, index) })),
    waitsFor: [...findWaits(plan, state)],
    ...(end === undefined ? {} : { end: { exitStatus: end.exitStatus, reason: reasonText(end) } }),
  };
}

function describeCommand({ command }: JobPlan, { lateCommand }: JobState): Pick<InspectedJob, 'command'> {
  const given = command.kind === 'later' ? lateCommand?.command : command;
  if (given === undefined) return {};
  return { command: given.kind === 'argv' ? [...given.argv] : [given.text] };
}

function describeNode({ nodes }: JobState, index: number): Pick<ShownNode, 'phase' | 'error' | 'usage'> {
  const node = nodes.get(index);
  const usage = findJsonAs(nodeUsageSchema, node?.usage ?? '');
  return {
    phase: node?.isLost === true ? 'lost' : (node?.phase ?? 'planned'),
    ...(node?.error === undefined ? {} : { error: node.error }),
    ...(usage === undefined ? {} : { usage }),
  };
}
