import { hostname } from 'node:os';
import type { Store } from '../ports/store.ts';
import { asJobError, JobError } from '../shared/errors.ts';
import type { JobEnd } from '../shared/helper-events.ts';
import type { JobKey } from '../shared/job-key.ts';
import { parseJobKey } from '../shared/job-key.ts';
import { jobFieldKey, jobRange, nodeFieldKey } from '../shared/kvs-keys.ts';
import { labels } from './describe-container.ts';
import { endJob } from './end-job.ts';
import { requireOwner } from './identify-caller.ts';
import type { JobState } from './job-state.ts';
import { parseJobState } from './job-state.ts';
import type { HelperContext } from './open-context.ts';
import { openStoreOf } from './open-context.ts';
import { findOwnNode } from './own-node.ts';
import { releaseHere } from './release-here.ts';
import { findUnreleased, removeKeys } from './release-keys.ts';

/** Jobs of ours on this host that the scheduler knows by this id; usually one or none. */
export async function findJobsHere(context: HelperContext, schedulerJobId: string): Promise<readonly JobKey[]> {
  const found = await context.engine.findContainers({ [labels.schedulerJob]: schedulerJobId });
  const fromLabels = found.map((container) => parseJobKey(container.labels[labels.job] ?? ''));
  return [...new Set([...fromLabels, parseJobKey(schedulerJobId)].filter((job) => job !== undefined))];
}

/**
 * Ends and removes what a job has on this host, without any help from the processes that made it; for epilogs and
 * operators. Says so in the store, and when this was the last host takes away the job's keys and subnet as well.
 * Repeat-safe; a job that is not known here is no error. Returns what is left.
 */
export async function releaseNode(context: HelperContext, job: JobKey): Promise<readonly string[]> {
  await requireOwnerHere(context, job);
  const leftovers = [...(await releaseHere(context, job))];
  try {
    await using undo = new AsyncDisposableStack();
    const store = await openStoreOf(context.site, job);
    undo.defer(async () => await store.close());
    const state = await readState(context, store, job);
    if (state.plan !== undefined && leftovers.length === 0) await markReleased(context, store, state);
  } catch (error) {
    // Without a store this host is clean all the same; keys and subnet are left for the next one who asks.
    const { code, message } = asJobError(error);
    if (code !== 'CONFIG_INVALID') leftovers.push(`keys of job ${job}: ${message}`);
  }
  context.audit.record('node-released', { job, host: hostname(), leftovers });
  return leftovers;
}

/** A user may release only what is his: by the label of the containers, and by the plan. */
async function requireOwnerHere(context: HelperContext, job: JobKey): Promise<void> {
  if (context.caller.kind === 'root') return;
  const found = await context.engine.findContainers({ [labels.job]: job });
  for (const container of found) requireOwner(context.caller, Number(container.labels[labels.uid]), job);
  if (found.length > 0) return;
  const plan = await planOf(context, job);
  if (plan !== undefined) requireOwner(context.caller, plan.user.uid, job);
}

async function planOf(context: HelperContext, job: JobKey): Promise<JobState['plan']> {
  const store = await openStoreOf(context.site, job);
  try {
    return (await readState(context, store, job)).plan;
  } finally {
    await store.close();
  }
}

export async function readState(context: HelperContext, store: Store, job: JobKey): Promise<JobState> {
  const { keyPrefix } = context.site.site;
  return parseJobState(keyPrefix, job, await store.read(jobRange(keyPrefix, job)));
}

async function markReleased(context: HelperContext, store: Store, state: JobState): Promise<void> {
  const { keyPrefix } = context.site.site;
  const { plan } = state;
  if (plan === undefined) return;
  if (state.finish === 'running') await endJob(store, keyPrefix, plan.job, releasedFromOutside(plan.job));
  await store.commit({
    conditions: [{ kind: 'present', key: jobFieldKey(keyPrefix, plan.job, 'PLAN') }],
    puts: [{ key: nodeFieldKey(keyPrefix, plan.job, findOwnNode(plan).index, 'PHASE'), value: 'released' }],
  });
  const after = await readState(context, store, plan.job);
  const nobodyKeeps = state.finish !== 'running';
  if (nobodyKeeps && findUnreleased(plan, after, false).length === 0) await removeKeys(store, keyPrefix, plan);
}

export function releasedFromOutside(job: JobKey): JobEnd {
  const error = new JobError({
    code: 'TERMINATED',
    message: `Job ${job} was released from outside (epilog or operator).`,
  });
  return { by: 'middleware', exitStatus: error.exitStatus, code: error.code, message: error.message };
}
