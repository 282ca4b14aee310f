import { constants, hostname, setPriority } from 'node:os';
import type { JobCgroup, SchedulerAuthority } from '../../ports/scheduler.ts';
import { asJobError, JobError } from '../../values/errors.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { nodeHostname } from '../../contract/job-key.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import { endJobInAnyCase } from '../job/end-job.ts';
import type { FollowedJob } from './follow-control.ts';
import { followControl } from './follow-control.ts';
import { outliveSuspensionSignal } from '../job/follow-suspension.ts';
import { isProvenInside, refuseOutsiders, requireJobCgroup } from '../caller/refuse-outsiders.ts';
import type { HostShare } from './confirm-share.ts';
import { confirmShare } from './confirm-share.ts';
import { requireUser } from '../caller/identify-caller.ts';
import type { HelperContext } from '../open-context.ts';
import { watchJobMemory } from '../job/job-memory.ts';
import { lifelineOf } from '../job/lifeline.ts';
import type { JobStore } from '../job/job-store.ts';
import { openStore, openStoreToEnd } from '../job/open-store.ts';
import type { OwnNode } from './own-node.ts';
import { findOwnNode } from '../host/find-own-node.ts';
import { judgeHere } from './judge-here.ts';
import type { JudgedNode } from './judge-here.ts';
import { claimNode, reached } from './own-node.ts';
import { awaitReapers } from '../host/reaping-mark.ts';
import { createJobRunDirectory, forgetJobHere } from '../host/run-directory.ts';
import { awaitPlan } from './await-plan.ts';
import { clearEarlierRun } from './clear-earlier-run.ts';
import { OutputDelivery } from '../host/deliver-output.ts';
import { within } from '../../system/deadline.ts';
import { releaseAndReport, reportTrouble } from './end-node.ts';
import { leadNode } from './lead-node.ts';
import { isOrphaned, listenToEnd, orphaned } from './listen-to-end.ts';

/** Of a reader who stands still after the job: someone may be reading a page, but not for ever. */
const standStillMs = 600_000;
/** In which the keeper hears from the launcher why it has ended, and heeds that: it may have missed another host. */
const launchersWordMs = 3000;

/**
 * Starts this host's container of the job as the plan says, leads its agent through discovery, and stays until the
 * job has ended and nothing of it is left here. Trouble is written to the node's ERROR key: the keeper ends the job.
 * Fails itself only when there is no such job for this caller on this host, or when another launch has opened it.
 */
export async function runNode(context: HelperContext, job: JobKey, launchId: string): Promise<void> {
  const { site } = context;
  const uid = requireUser(context.caller);
  await refuseOutsiders(context, job);
  const isInJob = isProvenInside(site, job);
  const memory = await watchJobMemory(context.authorities);
  await using undo = new AsyncDisposableStack();
  const told = undo.use(listenToEnd()).told;
  undo.use(outliveSuspensionSignal());
  // Last of all: a slow reader must not keep anything of the job on this host.
  const delivery = new OutputDelivery(process);
  undo.defer(async () => {
    await delivery.finish({ standStillMs, toldMs: site.deadlines.stopSeconds * 1000, told });
  });
  // To whom the kernel does not say that the job is theirs a keeper that goes tells nothing: not even that there was one.
  const jobStore = undo.use(await (isInJob ? openStore : openStoreToEnd)(site, job));
  const followed = followControl(jobStore, launchId, told);
  undo.defer(() => followed.stop());
  const plan = await awaitPlan(site, jobStore, followed, told, isInJob ? undefined : uid);
  if (plan === undefined) {
    // By its status the launcher tells that this node will not come; where that is gone as well, only the store can.
    if (told.aborted) process.exitCode = asJobError(told.reason).exitStatus;
    if (isOrphaned(told)) await endUnstartedJob(context, jobStore, launchId);
    return;
  }
  setPriority(constants.priority.PRIORITY_NORMAL); // the launcher starts us below it
  // What root knows of the caller, before anything is claimed: the launch tells two calls of one user apart, no more.
  if (plan.user.uid !== uid || plan.job !== job) {
    // The kernel says that the job is the caller's, so the plan is wrong.
    const error = foreignPlan(job);
    if (isInJob) await endRefusedJob(context, jobStore, plan, error);
    throw error;
  }
  context.audit.allow('owner');
  const authority = context.authorities.of(plan.scheduler);
  const ownStore = jobStore.ofRun(plan);
  const taken = await takeNode({ context, authority, jobStore: ownStore, plan, followed, told }, undo).catch(
    async (thrown: unknown) => {
      const error = await memory.explain(asJobError(thrown));
      await endRefusedJob(context, ownStore, plan, error);
      throw error;
    },
  );
  if (taken === undefined) return;
  const { own, cgroup, share, judged } = taken;
  reached(own, 'claimed');
  undo.defer(async () => await releaseAndReport(context, own));
  try {
    await leadNode(context, own, { cgroup, share, delivery, judged }, undo);
  } catch (thrown) {
    await reportTrouble(context, own, await memory.explain(asJobError(thrown)));
  }
}

interface NodeToTake {
  readonly context: HelperContext;
  readonly authority: SchedulerAuthority;
  readonly jobStore: JobStore;
  readonly plan: JobPlan;
  readonly followed: FollowedJob;
  readonly told: AbortSignal;
}

interface TakenNode {
  readonly own: OwnNode;
  readonly cgroup: JobCgroup | undefined;
  /** The scheduler's word where the kernel has none. */
  readonly share: HostShare | undefined;
  /** Looked at while the node is claimed. */
  readonly judged: Promise<JudgedNode>;
}

/**
 * Claims this host's node of the plan once root itself knows that the job runs here and is the caller's. Undefined when the
 * job has ended meanwhile: whoever has cancelled it needs no word of each host's.
 */
async function takeNode(
  { context, authority, jobStore, plan, followed, told }: NodeToTake,
  undo: AsyncDisposableStack,
): Promise<TakenNode | undefined> {
  await context.audit.requireWritable();
  const { site } = context;
  const cgroup = await requireJobCgroup(site, authority, { ...plan, uid: plan.user.uid });
  const node = findOwnNode(plan);
  // Without the kernel's word the scheduler's: that the job runs on this host, and is the user's.
  const share = cgroup === undefined ? await confirmShare(authority, plan, node) : undefined;
  const judged = judgeHere(context, jobStore, plan, node);
  judged.catch(() => undefined); // told once the node is claimed: then the keeper hears of it
  const { leaseTtlSeconds } = site.etcd;
  const { store } = jobStore;
  const life = lifelineOf(store, leaseTtlSeconds, await store.grantLease(leaseTtlSeconds));
  undo.defer(async () => await life.end().catch(() => undefined));
  const signalsByStore = authority.signalsBatchScript;
  const own: OwnNode = { site, jobStore, plan, node, followed, told, life, signalsByStore, stepTimesMs: {}, usage: {} };
  await awaitReapers(plan.job);
  if (plan.takesOver === true) await clearEarlierRun(context, own);
  await createJobRunDirectory(plan.job, plan.schedulerJobId);
  if (await claimNode(own)) return { own, cgroup, share, judged };
  await forgetJobHere(plan.job);
  if ((await jobStore.read('control')).finish !== 'running') return undefined;
  throw new JobError({
    code: 'JOB_BUSY',
    message: `${nodeHostname(plan.job, node.index)} is already being run on host ${node.host}.`,
  });
}

/**
 * What had started this process died before the job was open. Once it is open it is ended, unless it ends meanwhile for a
 * reason that somebody else knows better. Never fails.
 */
async function endUnstartedJob(context: HelperContext, jobStore: JobStore, launchId: string): Promise<void> {
  const { site } = context;
  const uid = requireUser(context.caller);
  const alone = new AbortController();
  const followed = followControl(jobStore, launchId, alone.signal);
  try {
    const opened = awaitPlan(site, jobStore, followed, alone.signal, uid);
    const plan = await within(site.deadlines.openSeconds * 1000, opened, undefined);
    if (plan === undefined) return;
    const untilOver = followed.until(() => undefined).then(() => 'over' as const);
    if ((await within(launchersWordMs, untilOver, 'running')) === 'over') return;
    context.audit.allow('owner');
    await endRefusedJob(context, jobStore, plan, orphaned());
  } catch {
    // it was never opened
  } finally {
    followed.stop();
  }
}

/** A node of the job will not come: nobody else would know, and the job would wait for it, or go on with what took its place. */
async function endRefusedJob(
  context: HelperContext,
  jobStore: JobStore,
  plan: JobPlan,
  error: JobError,
): Promise<void> {
  const { job } = jobStore;
  const { code, message, hint, exitStatus } = error;
  const where = `host ${hostname()} did not begin its node: ${message}`;
  context.audit.record('node-refused', { job, owner: plan.user.uid, code, message });
  const end = { by: 'middleware', code, message: where, ...(hint === undefined ? {} : { hint }), exitStatus } as const;
  await endJobInAnyCase(jobStore, end).catch(() => undefined);
}

/** Its job's name, or its user, would stand in all that this host makes. */
function foreignPlan(job: JobKey): JobError {
  return new JobError({
    code: 'JOB_NOT_YOURS',
    message: `The plan of job ${job} in the store is one of another user or job.`,
    hint: 'Somebody has changed it: tell the administrators.',
  });
}
