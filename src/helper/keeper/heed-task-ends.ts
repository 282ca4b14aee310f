import { constants } from 'node:os';
import { JobError } from '../../values/errors.ts';
import { killedForMemory } from '../../contract/helper-events.ts';
import { nodeHostname } from '../../contract/job-key.ts';
import type { JobPlan, PlannedNode } from '../../contract/job-plan.ts';
import { lasts } from '../../system/deadline.ts';
import { endInOneLine, oneLine } from '../../values/one-line.ts';
import type { JobState } from '../job/job-state.ts';
import type { JobStore } from '../job/job-store.ts';
import { killedForMemoryError } from './job-trouble.ts';
import { findHelperWord } from './launcher-error.ts';
import type { EndedTasks } from './launcher-error.ts';
import type { Orders } from './receive-orders.ts';
import { describeUnreachedNode } from './unreached-host.ts';

/** In which what the node itself has written arrives: it knows better why it ended. */
const usualGraceMs = 1000;

export interface HeededJob {
  readonly jobStore: Pick<JobStore, 'read'>;
  readonly plan: JobPlan;
  readonly over: AbortSignal;
}

/** Words that wait to be judged; who says more at once says nothing that would help. */
const mostWaiting = 1000;

/**
 * Aborts with a `JobError` when the launcher has said that the helper of a host is gone: the job would wait for its node
 * until the deadline of its start. Counts only before the command's start: later words may be the command's own, and then
 * the node's lease tells. A node that has said itself what is wrong is left to that. However many words come, the store is
 * asked once in `graceMs`: they come from a user's process.
 */
export function heedTaskEnds(orders: Pick<Orders, 'onTaskEnd'>, job: HeededJob, graceMs = usualGraceMs): AbortSignal {
  const gone = new AbortController();
  const waiting: EndedTasks[] = [];
  let isHeeding = false;
  const heed = async (): Promise<void> => {
    isHeeding = true;
    while (waiting.length > 0) {
      if (!(await lasts(graceMs, job.over, { keepsAlive: false }))) return;
      const error = await judge(job, waiting.splice(0));
      if (error !== undefined) gone.abort(error);
    }
    isHeeding = false;
  };
  orders.onTaskEnd((tasks) => {
    if (waiting.length < mostWaiting) waiting.push(tasks);
    if (!isHeeding) heed().catch(() => undefined);
  });
  return gone.signal;
}

async function judge({ jobStore, plan }: HeededJob, told: readonly EndedTasks[]): Promise<JobError | undefined> {
  // A store that is away may be why the helper has ended; nobody has started anything then.
  const state = await jobStore.read().catch(() => undefined);
  if (state !== undefined && (state.finish !== 'running' || state.hasStarted)) return undefined;
  for (const tasks of told) {
    const error = describeTaskEnd(plan, state, tasks);
    if (error !== undefined) return error;
  }
  return undefined;
}

/** The end of the job that tasks which are gone mean for it; undefined when none of them is a node that has not failed itself. */
export function describeTaskEnd(plan: JobPlan, state: JobState | undefined, tasks: EndedTasks): JobError | undefined {
  const nodes = plan.nodes.filter(({ host }) => tasks.hosts.some((name) => isSameHost(name, host)));
  const [lost] = nodes.filter(({ index }) => state?.nodes.get(index)?.error === undefined);
  return lost === undefined ? undefined : describe(plan, lost, state, tasks);
}

/** True for two names of one host, of which one may have its domain. */
export function isSameHost(name: string, host: string): boolean {
  return name === host || name.split('.')[0] === host.split('.')[0];
}

function describe(
  plan: JobPlan,
  node: PlannedNode,
  state: JobState | undefined,
  { how, detail }: EndedTasks,
): JobError {
  const { index, host } = node;
  if (how === killedForMemory) return killedForMemoryError(plan, index);
  const where = `${nodeHostname(plan.job, index)} on host ${host}`;
  const phase = state?.nodes.get(index)?.phase ?? 'not started';
  const word = findHelperWord(detail);
  if (word !== undefined) return new JobError({ code: word.code, message: `${where}: ${word.message}` });
  const hasBegun = state?.nodes.has(index) === true;
  const unreached = hasBegun ? undefined : describeUnreachedNode(plan, node, [how, detail]);
  if (unreached !== undefined) return unreached;
  const signal = signalOf(how);
  const ending = `${where} (${phase}): its helper ${signal === undefined ? oneLine(how, 300) : `was ended (${signal})`}`;
  // By itself it ends only where it could not be used; who kills it may not do so again.
  const isRefusal = signal === undefined && !hasBegun && how.startsWith('ended with');
  if (how.includes('Invalid job credential')) return refusedStep(ending);
  const said = isRefusal ? endInOneLine(detail, 500) : '';
  return new JobError({
    code: isRefusal ? 'LAUNCHER_FAILED' : 'NODE_LOST',
    message: `${ending}${said === '' ? '' : `: ${said}`}.`,
    hint: isRefusal
      ? 'Every host needs the helper and its sudo rule; see `hpc-dockerjob-setup --help`.'
      : 'Safe to submit again; if that does not help, ask the administrators to look at this host.',
  });
}

/** Slurm's word for a step that is not the job's own, and for hosts whose clocks or keys differ. */
function refusedStep(ending: string): JobError {
  return new JobError({
    code: 'LAUNCHER_FAILED',
    message: `${ending}: Slurm did not take the call for the job's own.`,
    hint: 'Call it under the group of the job (`id -g` in the batch script; no sg, no newgrp). If it was, ask the administrators to look at munge and the clocks of the hosts.',
  });
}

/** The signal that a status stands for: what has started the helper may end by itself when that is killed. */
function signalOf(how: string): string | undefined {
  const number = Number(/^ended with exit status (\d{1,3})$/.exec(how)?.[1] ?? 0) - 128;
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
}
