import type { JobEnd, UsedByNode } from '../../contract/helper-events.ts';
import type { JobPlan, PlannedNode } from '../../contract/job-plan.ts';
import type { JobRecord } from '../../contract/job-record.ts';
import { mostRecordedHosts } from '../../contract/job-record.ts';
import type { LateCommand } from '../../contract/job-request.ts';
import { describePlannedImage } from '../../contract/job-plan.ts';
import { sumUsage } from '../../contract/sum-usage.ts';

const mostProgram = 200;
const mostReason = 2000;
const mostLeftovers = 16;

/** What a keeper knows of its job when all is over. */
export interface EndedJob {
  readonly plan: JobPlan;
  /** Of a job whose plan has no command. */
  readonly lateCommand: LateCommand | undefined;
  readonly end: JobEnd;
  readonly usage: readonly UsedByNode[];
  readonly leftovers: readonly string[];
  readonly phaseTimesMs: JobRecord['phaseTimesMs'];
}

/** The record of a job that is over. */
export function makeJobRecord({ plan, lateCommand, end, usage, leftovers, phaseTimesMs }: EndedJob): JobRecord {
  const { scheduler, schedulerJobId, user, image, application, nodes, network, workdir, openedAt } = plan;
  const program = findProgram(plan.command.kind === 'later' ? lateCommand?.command : plan.command);
  return {
    version: 1,
    ...{ job: plan.job, scheduler, schedulerJobId, uid: user.uid, user: user.name },
    image: image.reference,
    ...describePlannedImage(image),
    ...(application === undefined ? {} : { application }),
    ...(program === undefined ? {} : { program }),
    ...{ workdir, network: network.driver },
    hosts: nodes.slice(0, mostRecordedHosts).map(({ host }: PlannedNode) => host),
    hostCount: nodes.length,
    slots: nodes.reduce((sum, { slots }) => sum + slots, 0),
    openedAt,
    endedAt: new Date(Date.parse(openedAt) + phaseTimesMs.finished).toISOString(),
    phaseTimesMs,
    exitStatus: end.exitStatus,
    endedBy: end.by,
    ...(end.by === 'command' ? {} : { code: end.code, reason: end.message.slice(0, mostReason) }),
    usage: sumUsage(usage),
    leftovers: leftovers.slice(0, mostLeftovers),
  };
}

type Command = LateCommand['command'];

/** What was run, without its arguments: they may hold secrets. */
function findProgram(command: Command | undefined): string | undefined {
  const word = command?.kind === 'argv' ? command.argv[0] : command?.text.trim().split(/\s/, 1)[0];
  return word?.slice(0, mostProgram);
}
