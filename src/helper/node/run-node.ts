import { constants, setPriority } from 'node:os';
import { asJobError, JobError } from '../../shared/errors.ts';
import type { JobKey } from '../../shared/job-key.ts';
import { nodeHostname } from '../../shared/job-key.ts';
import { followControl } from './follow-control.ts';
import { outliveSuspensionSignal } from '../follow-suspension.ts';
import { refuseOutsiders, requireJobCgroup } from '../find-job-cgroup.ts';
import { confirmShare } from './confirm-share.ts';
import { requireOwner } from '../identify-caller.ts';
import type { HelperContext } from '../open-context.ts';
import { lifelineOf } from '../lifeline.ts';
import { openStoreOf } from '../open-context.ts';
import type { OwnNode } from '../own-node.ts';
import { claimNode, findOwnNode, reached } from '../own-node.ts';
import { createJobRunDirectory, forgetJobHere } from '../run-directory.ts';
import { awaitPlan } from './await-plan.ts';
import { OutputDelivery } from './deliver-output.ts';
import { releaseAndReport, reportTrouble } from './end-node.ts';
import { leadNode } from './lead-node.ts';
import { listenToEnd } from './listen-to-end.ts';

/** Of a reader who stands still after the job: someone may be reading a page, but not for ever. */
const standStillMs = 600_000;

/**
 * Starts this host's container of the job as the plan says, leads its agent through discovery, and stays until the
 * job has ended and nothing of it is left here. Trouble is written to the node's ERROR key: the keeper ends the job.
 * Fails itself only when there is no such job for this caller on this host, or when another launch has opened it.
 */
export async function runNode(context: HelperContext, job: JobKey, launchId: string): Promise<void> {
  const { site } = context;
  await refuseOutsiders(context, job);
  await using undo = new AsyncDisposableStack();
  const told = undo.use(listenToEnd()).told;
  undo.use(outliveSuspensionSignal());
  // Last of all: a slow reader must not keep anything of the job on this host.
  const delivery = new OutputDelivery(process);
  undo.defer(async () => {
    await delivery.finish({ standStillMs, toldMs: site.deadlines.stopSeconds * 1000, told });
  });
  const store = await openStoreOf(site, job);
  undo.defer(async () => await store.close());
  const followed = followControl(store, site.site.keyPrefix, job, told);
  undo.defer(() => followed.stop());
  const plan = await awaitPlan(site, store, followed, job, told);
  if (plan === undefined) return;
  setPriority(constants.priority.PRIORITY_NORMAL); // the launcher starts us below it
  requireOwner(context.caller, plan.user.uid, job);
  if (plan.launchId !== launchId) throw openedByAnother(job);
  const authority = context.authorities.of(plan.scheduler);
  const cgroup = await requireJobCgroup(site, authority, { ...plan, uid: plan.user.uid });
  const node = findOwnNode(plan);
  // Without the kernel's word the scheduler's: that the job runs on this host, and is the user's.
  const share = cgroup === undefined ? await confirmShare(authority, plan, node) : undefined;
  const { leaseTtlSeconds } = site.etcd;
  const life = lifelineOf(store, leaseTtlSeconds, await store.grantLease(leaseTtlSeconds));
  undo.defer(async () => await life.end().catch(() => undefined));
  const signalsByStore = authority.signalsBatchScript;
  const own: OwnNode = { site, store, plan, node, followed, told, life, signalsByStore, stepTimesMs: {} };
  await createJobRunDirectory(job, plan.schedulerJobId);
  if (!(await claimNode(own))) {
    await forgetJobHere(job);
    throw new JobError({
      code: 'JOB_BUSY',
      message: `${nodeHostname(job, own.node.index)} is already being run on this host.`,
    });
  }
  reached(own, 'claimed');
  undo.defer(async () => await releaseAndReport(context, own));
  try {
    await leadNode(context, own, { cgroup, share, delivery }, undo);
  } catch (thrown) {
    await reportTrouble(context, own, asJobError(thrown));
  }
}

/** Two calls in one job at the same time: only the nodes of the one that has opened it may take its hosts. */
function openedByAnother(job: JobKey): JobError {
  return new JobError({
    code: 'JOB_BUSY',
    message: `Job ${job} was opened by another call of hpc-submit-dockerjob.`,
    hint: 'One call of hpc-submit-dockerjob at a time: let the first one end.',
  });
}
