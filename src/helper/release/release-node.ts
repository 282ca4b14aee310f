import { existsSync } from 'node:fs';
import { asClause, asJobError, JobError } from '../../values/errors.ts';
import type { JobEnd } from '../../contract/helper-events.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { labels } from '../../contract/labels.ts';
import { leaveEarlierRuns } from '../job/earlier-runs.ts';
import { endJobInAnyCase } from '../job/end-job.ts';
import { reportReleased } from '../job/report-released.ts';
import { findAllJobsHere } from './find-jobs-here.ts';
import { requireOwnJob } from '../caller/require-own-job.ts';
import type { JobState } from '../job/job-state.ts';
import type { JobStore } from '../job/job-store.ts';
import type { HelperContext } from '../open-context.ts';
import { openStore, openStoreToEnd } from '../job/open-store.ts';
import { findOwnNodeIfAny } from '../host/find-own-node.ts';
import { releaseHere } from './release-here.ts';
import { findUnreleased } from '../job/find-unreleased.ts';
import { removeKeys } from './release-keys.ts';
import {
  forgetJobHere,
  isKeptHere,
  localStoreSocket,
  removeRunDirectory,
  unmarkKeptHere,
  jobRunDirectory,
} from '../host/run-directory.ts';
import { within } from '../../system/deadline.ts';
import { writePendingRecord } from '../records/pending-record.ts';

/** How a job was released on this host. */
export interface NodeRelease {
  /** False when there was nothing of it here, or nothing that is the caller's. */
  readonly wasHere: boolean;
  /** What is still on this host; empty when it is clean. */
  readonly leftovers: readonly string[];
  /** Why the store could not be told of it: keys and subnet stay until `reap` or `release-job`. No fault of this host. */
  readonly untold: string | undefined;
  /** What of the job is left elsewhere than on this host, and for whom it waits; undefined when nothing is. */
  readonly unfinished: string | undefined;
}

export interface NodeReleaseOptions {
  /** True for a round of `reap`: it waits for no other host, since the keys are found by their subnet once more. */
  readonly isReaping?: boolean;
}

/**
 * Ends and removes what a job has on this host, without any help from the processes that made it; for epilogs and
 * operators. Says so in the store, and when this was the last host takes away the job's keys and subnet as well.
 * Repeat-safe; a job that is not known here is no error.
 */
export async function releaseNode(
  context: HelperContext,
  job: JobKey,
  { isReaping = false }: NodeReleaseOptions = {},
): Promise<NodeRelease> {
  // Between a job's first file and its plan nothing says whose it is: then it is not a user's to take away.
  if (!(await isOwnedHere(context, job)))
    return { wasHere: false, leftovers: [], untold: undefined, unfinished: undefined };
  context.audit.allow(context.caller.kind === 'root' ? 'root' : 'owner');
  const wasHere = (await findAllJobsHere(context)).jobs.has(job);
  await endFirst(context, job);
  const leftovers = await releaseHere(context, job);
  if (leftovers.length === 0) await writePendingRecord(context.site.records, job);
  const { untold, unfinished } = leftovers.length === 0 ? await tellStore(context, job, isReaping) : nothingTold;
  context.audit.record('node-released', { job, leftovers, untold, unfinished });
  return { wasHere, leftovers, untold, unfinished };
}

/** A store that answers does so in less; one that is away must not keep the host from being cleaned. */
const endGraceMs = 1000;

/** Ends a job that still runs before its containers go: else the end that counts would be that they were lost. Never fails. */
async function endFirst(context: HelperContext, job: JobKey): Promise<void> {
  if (!existsSync(jobRunDirectory(job))) return;
  const end = async (): Promise<void> => {
    await using jobStore = await openStore(context.site, job);
    const { plan, finish } = await jobStore.read();
    // A run that has no node here is a later one, which has nothing to do with what is to be taken away.
    if (plan === undefined || finish !== 'running' || findOwnNodeIfAny(plan) === undefined) return;
    await endJobInAnyCase(jobStore.ofRun(plan), releasedFromOutside(job));
  };
  const told = end().catch(() => undefined); // what failed is told by `tellStore`
  await within(endGraceMs, told, undefined);
}

const nothingTold = { untold: undefined, unfinished: undefined };

/** Says in the job's store that nothing is left here. Returns why that was not possible (the trace stays then), or what has to wait. */
async function tellStore(
  context: HelperContext,
  job: JobKey,
  isReaping: boolean,
): Promise<Pick<NodeRelease, 'untold' | 'unfinished'>> {
  const isLocal = existsSync(localStoreSocket(job));
  try {
    await using jobStore = await openStore(context.site, job);
    const state = await jobStore.read();
    if (state.plan !== undefined) await markReleased(jobStore, state);
    await leaveEarlierRuns(jobStore);
    const unfinished = (await isKeptHere(job))
      ? await finishForKeeper(jobStore, isReaping)
      : await findUnfinished(jobStore);
    await forgetJobHere(job); // a store that somebody serves here goes with its keeper
    return { untold: undefined, unfinished };
  } catch (error) {
    // A one-host job whose keeper is gone has lost its store too, and a site without etcd has none: nobody to tell.
    const isNobodyThere = isLocal || context.site.etcd.endpoints.length === 0;
    if (!isNobodyThere) return { untold: `keys of job ${job}: ${asClause(asJobError(error))}`, unfinished: undefined };
    await removeRunDirectory(job);
    return nothingTold;
  }
}

/** Whose release the job's keys wait for; undefined when they are gone. */
async function findUnfinished(jobStore: JobStore): Promise<string | undefined> {
  const state = await jobStore.read();
  return state.plan === undefined ? undefined : describeUnfinished(state.plan, state);
}

function describeUnfinished(plan: JobPlan, state: JobState): string {
  const waiting = findUnreleased(plan, state, state.finish !== 'running').join(', ');
  return `keys and subnet of job ${plan.job} stay until ${waiting === '' ? 'its keeper has ended' : `this is released: ${waiting}`}`;
}

/**
 * True when the job is the caller's by the label of its containers or by its plan; root may release every job. False
 * when there is neither, and the scheduler says that the job is theirs. Fails with `JOB_NOT_YOURS` for every other one.
 */
async function isOwnedHere(context: HelperContext, job: JobKey): Promise<boolean> {
  if (context.caller.kind === 'root') return true;
  const found = await context.engine.findContainers({ [labels.job]: job });
  for (const container of found) await requireOwnJob(context, job, Number(container.labels[labels.uid]));
  if (found.length > 0) return true;
  const plan = await planOf(context, job);
  await requireOwnJob(context, job, plan?.user.uid);
  return plan !== undefined;
}

async function planOf(context: HelperContext, job: JobKey): Promise<JobState['plan']> {
  await using jobStore = await openStoreToEnd(context.site, job);
  return (await jobStore.read()).plan;
}

async function markReleased(jobStore: JobStore, state: JobState): Promise<void> {
  const { plan } = state;
  if (plan === undefined) return;
  const own = findOwnNodeIfAny(plan);
  if (own === undefined) return;
  const ofRun = jobStore.ofRun(plan);
  if (state.finish === 'running') await endJobInAnyCase(ofRun, releasedFromOutside(plan.job));
  await reportReleased(ofRun, own.index);
  const after = await jobStore.read();
  // The last one removes the keys, also when a keeper might be alive: it may have died a moment ago, its lease not yet.
  if (findUnreleased(plan, after, after.finish !== 'running').length === 0) await removeKeys(jobStore, plan);
}

/** An epilog has some time, but not for ever; a round of `reap` has other jobs to look at. */
const finishDeadlineMs = { epilog: 15_000, reap: 1000 };

/**
 * The keeper ran here, and has died: what it would do last, once every host has reported, is done for it. Returns what has
 * to wait for other hosts.
 */
async function finishForKeeper(jobStore: JobStore, isReaping: boolean): Promise<string | undefined> {
  const { job } = jobStore;
  const { plan } = await jobStore.read();
  if (plan !== undefined) {
    const look = (state: JobState): true | undefined =>
      findUnreleased(plan, state, true).length === 0 ? true : undefined;
    const outcome = await jobStore.until(look, {
      part: 'nodes',
      deadlineMs: isReaping ? finishDeadlineMs.reap : finishDeadlineMs.epilog,
    });
    if (outcome.kind === 'timeout') {
      const after = await jobStore.read();
      // For `reap` the subnet is mark enough: whoever is released last removes the keys. After an epilog the mark is.
      if (isReaping && after.finish !== 'running') await unmarkKeptHere(job);
      return describeUnfinished(plan, after);
    }
    await removeKeys(jobStore, plan);
  }
  await unmarkKeptHere(job);
  return undefined;
}

export function releasedFromOutside(job: JobKey): JobEnd {
  const error = new JobError({
    code: 'TERMINATED',
    message: `Job ${job} was released from outside: by the scheduler (a deleted job, its epilog) or by an operator.`,
  });
  return { by: 'middleware', exitStatus: error.exitStatus, code: error.code, message: error.message };
}
