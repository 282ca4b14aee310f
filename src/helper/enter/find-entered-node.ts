import { hostname } from 'node:os';
import type { JobPlan, PlannedNode } from '../../contract/job-plan.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { containerName } from '../../contract/job-key.ts';
import { labels } from '../../contract/labels.ts';
import type { FoundContainer } from '../../ports/container-engine.ts';
import { JobError } from '../../values/errors.ts';
import { notYours } from '../caller/identify-caller.ts';
import { requireOwnJob } from '../caller/require-own-job.ts';
import { findOwnNodeIfAny } from '../host/find-own-node.ts';
import type { JobState } from '../job/job-state.ts';
import { openStoreToEnd } from '../job/open-store.ts';
import type { HelperContext } from '../open-context.ts';

/** A node on this host whose container may be entered: the caller's, by its plan and by its container. */
export interface EnteredNode {
  readonly plan: JobPlan;
  readonly node: PlannedNode;
  readonly containerId: string;
  /** The container's first process, on the host. */
  readonly containerPid: number;
}

type Asking = Pick<HelperContext, 'site' | 'engine' | 'authorities' | 'caller'>;

/**
 * The node of a job on this host, while the job's command runs. Whose it is, root's own objects say: the container, which
 * nobody else can have made, and the plan, which must be of the same run. Fails with `JOB_NOT_YOURS` in the same words for
 * a job of somebody else and for none; with `USAGE` when the node is elsewhere; with `JOB_BUSY` while nothing can run in it.
 */
export async function findEnteredNode(
  asking: Asking,
  job: JobKey,
  index: number,
  readState = readJobState,
): Promise<EnteredNode> {
  const container = await findContainerHere(asking, job);
  if (container !== undefined) await requireOwnJob(asking, job, ownerOf(container));
  const activity = container === undefined ? undefined : await asking.engine.findActivity(container.id);
  // The keeper of a suspended job may be suspended as well, and its store with it.
  if (activity?.kind === 'paused') throw suspended(job);
  const state = await readState(asking, job);
  if (container === undefined) await requireOwnJob(asking, job, state.plan?.user.uid);
  const plan = requireRunning(job, state);
  requireOwnPlan(asking, plan, container);
  const node = requireHere(plan, index);
  if (container === undefined || activity?.kind !== 'running') throw notRunning(job);
  if (container.name !== containerName(job, node.index)) throw notYours(job);
  return { plan, node, containerId: container.id, containerPid: activity.pid };
}

/** Proven ours by the engine's adapter; not the one through which an image is looked at. */
async function findContainerHere({ engine }: Asking, job: JobKey): Promise<FoundContainer | undefined> {
  const found = await engine.findContainers({ [labels.job]: job });
  return found.find(({ name, labels: own }) => name === containerName(job, Number(own[labels.node])));
}

function ownerOf({ labels: own }: FoundContainer): number {
  return Number(own[labels.uid]);
}

async function readJobState({ site }: Asking, job: JobKey): Promise<JobState> {
  await using jobStore = await openStoreToEnd(site, job);
  return await jobStore.read();
}

/** The plan of a job whose command runs. */
function requireRunning(job: JobKey, { plan, finish, hasStarted, wanted }: JobState): JobPlan {
  if (plan === undefined || finish !== 'running' || !hasStarted) throw notRunning(job);
  if (wanted === 'suspended') throw suspended(job);
  return plan;
}

/** A container of an earlier run, or a plan of a later one, is not what the caller means, whoever's it is. */
function requireOwnPlan({ caller }: Asking, plan: JobPlan, container: FoundContainer | undefined): void {
  const isCallers = caller.kind === 'root' || plan.user.uid === caller.uid;
  const isOfRun =
    container === undefined || (container.labels[labels.token] === plan.token && ownerOf(container) === plan.user.uid);
  if (!isCallers || !isOfRun) throw notYours(plan.job);
}

function requireHere(plan: JobPlan, index: number): PlannedNode {
  const { job, nodes } = plan;
  const asked = nodes.find((node) => node.index === index);
  if (asked === undefined) {
    throw new JobError({
      code: 'USAGE',
      message: `Job ${job} has no node ${index}: ${nodes.length === 1 ? 'only node 0' : `its nodes are 0 to ${nodes.length - 1}`}.`,
    });
  }
  if (findOwnNodeIfAny(plan)?.index === index) return asked;
  throw new JobError({
    code: 'USAGE',
    message: `Node ${index} of job ${job} is on host ${asked.host}, and this is ${hostname()}.`,
    hint: `Log in to ${asked.host} and call it there: hpc-submit-dockerjob shell ${job} ${index}.`,
  });
}

function notRunning(job: JobKey): JobError {
  return new JobError({
    code: 'JOB_BUSY',
    message: `Job ${job} runs no command in containers at this moment, or none that can be seen from host ${hostname()}.`,
    hint: 'It may be starting, or ending. Call it while the command runs, on a host of the job.',
  });
}

function suspended(job: JobKey): JobError {
  return new JobError({
    code: 'JOB_BUSY',
    message: `Job ${job} is suspended: nothing can run in its containers.`,
    hint: 'Try again when it has been resumed.',
  });
}
