import { constants, setPriority } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { pipeline } from 'node:stream/promises';
import { checkUntamperable } from '../config/check-untamperable.ts';
import type { Container, ContainerEnd, ContainerOutput, ImageFacts } from '../ports/container-engine.ts';
import type { JobCgroup } from '../ports/scheduler.ts';
import type { SiteConfig } from '../config/site-schema.ts';
import { asJobError, JobError } from '../shared/errors.ts';
import type { JobEnd, NodePhase } from '../shared/helper-events.ts';
import type { JobKey } from '../shared/job-key.ts';
import { jobRange } from '../shared/kvs-keys.ts';
import type { Store } from '../ports/store.ts';
import { nodeHostname } from '../shared/job-key.ts';
import type { JobPlan } from '../shared/job-plan.ts';
import { converse } from './converse.ts';
import { describeContainer, isolateAgent } from './describe-container.ts';
import { endJob } from './end-job.ts';
import { examineImage } from './examine-image.ts';
import type { FollowedJob } from './follow-control.ts';
import { followControl } from './follow-control.ts';
import { checkPlacement, findCgroupParent, refuseOutsiders, requireJobCgroup } from './find-job-cgroup.ts';
import { confirmShare, limitsOf } from './confirm-share.ts';
import type { HostShare, ShareLimits } from './confirm-share.ts';
import { followSuspension } from './follow-suspension.ts';
import { requireOwner } from './identify-caller.ts';
import type { HelperContext } from './open-context.ts';
import { lifelineOf } from './lifeline.ts';
import { openStoreOf } from './open-context.ts';
import type { OwnNode } from './own-node.ts';
import { claimNode, findOwnNode, reached, report } from './own-node.ts';
import { releaseHere } from './release-here.ts';
import { createJobRunDirectory, createNodeRunDirectory, forgetJobHere } from './run-directory.ts';
import { serveAgent } from './serve-agent.ts';

/**
 * Starts this host's container of the job as the plan says, leads its agent through discovery, and stays until the
 * job has ended and nothing of it is left here. Trouble is written to the node's ERROR key: the keeper ends the job.
 * Fails itself only when there is no such job for this caller on this host.
 */
export async function runNode(context: HelperContext, job: JobKey): Promise<void> {
  const { site } = context;
  await refuseOutsiders(context, job);
  await using undo = new AsyncDisposableStack();
  const told = listenToSignals(undo);
  const store = await openStoreOf(site, job);
  undo.defer(async () => await store.close());
  const followed = followControl(store, site.site.keyPrefix, job, told);
  undo.defer(() => followed.stop());
  const plan = await awaitPlan(site, store, followed, job, told);
  if (plan === undefined) return;
  setPriority(constants.priority.PRIORITY_NORMAL); // the launcher starts us below it
  requireOwner(context.caller, plan.user.uid, job);
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
    await leadNode(context, own, { cgroup, share }, undo);
  } catch (thrown) {
    await reportTrouble(context, own, asJobError(thrown));
  }
}

/** The steps of one node; each leaves its undo on the stack before the next begins. */
async function leadNode(
  context: HelperContext,
  own: OwnNode,
  { cgroup, share }: { readonly cgroup: JobCgroup | undefined; readonly share: HostShare | undefined },
  undo: AsyncDisposableStack,
): Promise<void> {
  const { plan, node, site } = own;
  const driver = context.network(plan.network.driver);
  const [cgroupParent, image, network, directory] = await Promise.all([
    findCgroupParent(context, cgroup),
    findPlannedImage(context, own),
    driver.prepare(plan, node),
    createNodeRunDirectory(plan, node),
    checkMountsHere(own),
  ]);
  reached(own, 'prepared');
  const server = await serveAgent(directory.agentSocket, plan.user.uid);
  undo.defer(async () => await server.close());
  const spec = describeContainer(plan, node, {
    site,
    ...(await context.findRuntime()),
    runMounts: directory.mounts,
    network,
    cgroupParent,
    limits: cgroupParent === undefined ? await ownLimits(context, own, share) : {},
    imageEnvironment: image.environment,
  });
  await examineImage(
    context.engine,
    spec,
    plan.mounts.map(({ target }) => target),
  );
  reached(own, 'examined');
  const container = await context.engine.createContainer(spec);
  reached(own, 'created');
  const drained = drainOutput(await container.attachOutput(() => tellOfGap(own)));
  const running = await container.start();
  undo.defer(async () => {
    await container.stop(site.deadlines.stopSeconds);
    await Promise.race([drained, pause(site.deadlines.stopSeconds * 1000, undefined, { ref: false })]);
  });
  reached(own, 'started');
  undo.use(passOnSuspension(context, own, container));
  const ended = container.waitForEnd(own.told);
  ended.catch(() => undefined);
  await checkPlacement(running.pid, cgroupParent);
  await driver.attach(plan, node, running);
  reached(own, 'attached');
  const link = await Promise.race([server.link, agentSilent(own), endedEarly(own, ended)]);
  reached(own, 'called');
  const end = await Promise.race([
    converse(own, link, isolateAgent(image.environment).restored),
    endedEarly(own, ended),
  ]);
  reached(own, 'over');
  if (end !== undefined) await publishEnd(own, end);
  await report(own, { PHASE: 'stopping' }).catch(() => undefined);
  // The agent ends by itself now; the stop on the undo stack is for one that does not.
  await Promise.race([ended, pause(site.deadlines.stopSeconds * 1000, undefined, { ref: false })]).catch(
    () => undefined,
  );
}

/**
 * The plan of the job, which may still be on its way: the launcher starts while the job is being opened. Undefined
 * when this process is told to end before: the job was refused.
 */
async function awaitPlan(
  site: SiteConfig,
  store: Store,
  followed: FollowedJob,
  job: JobKey,
  told: AbortSignal,
): Promise<JobPlan | undefined> {
  const late = new AbortController();
  const deadline = async (): Promise<never> => {
    await pause(site.deadlines.openSeconds * 1000, undefined, { signal: late.signal });
    // Says so itself when it cannot be reached.
    await store.read(jobRange(site.site.keyPrefix, job));
    throw new JobError({
      code: 'JOB_NOT_YOURS',
      message: `There is no open job ${job}.`,
      hint: 'run-node is called by hpc-submit-dockerjob on every host of a job.',
    });
  };
  try {
    return await Promise.race([followed.until((state) => state.plan), deadline()]);
  } catch (error) {
    if (told.aborted) return undefined;
    throw error;
  } finally {
    late.abort();
  }
}

/** Not below the job's cgroup: the limits that it would have there are the container's own. */
async function ownLimits(context: HelperContext, own: OwnNode, share: HostShare | undefined): Promise<ShareLimits> {
  const { plan, node, site } = own;
  return limitsOf(site, share ?? (await confirmShare(context.authorities.of(plan.scheduler), plan, node)));
}

async function findPlannedImage(context: HelperContext, own: OwnNode): Promise<ImageFacts> {
  const { image } = own.plan;
  const found = await context.engine.findImage(image.id);
  if (found !== undefined) return found;
  const other = await context.engine.findImage(image.reference);
  throw new JobError({
    code: 'IMAGE_NOT_PRESENT',
    message:
      other === undefined
        ? `image ${image.reference} is not present on host ${own.node.host}.`
        : `image ${image.reference} on host ${own.node.host} is another one (${other.id.slice(0, 19)}) than on the first host (${image.id.slice(0, 19)}).`,
    hint: 'Ask the administrators to bring the same image to every host (docker pull, or docker save and load).',
  });
}

/** This host's own policy has the last word on what is mounted here. */
async function checkMountsHere(own: OwnNode): Promise<void> {
  for (const mount of own.plan.mounts) {
    const allowed = own.site.mounts.allowed.find(
      ({ source, target }) => source === mount.source && target === mount.target,
    );
    if (allowed === undefined || (allowed.readOnly && !mount.readOnly)) {
      throw new JobError({
        code: 'MOUNT_NOT_ALLOWED',
        message: `site.yaml on host ${own.node.host} does not allow the mount of ${mount.source} that the first host's does.`,
        hint: 'site.yaml must be the same on every host.',
      });
    }
    await checkUntamperable(mount.source, { expected: 'directory', endMayBeShared: true, code: 'HOST_UNFIT' });
  }
}

/** On the job's own standard error: whoever reads the output must know that it is not whole. */
function tellOfGap({ node }: OwnNode): void {
  process.stderr.write(
    `hpc-submit-dockerjob: note: the Docker Engine on host ${node.host} was restarted; what the job wrote there meanwhile may be lost\n`,
  );
}

async function drainOutput(output: ContainerOutput): Promise<void> {
  await Promise.all([
    pipeline(output.stdout, process.stdout, { end: false }),
    pipeline(output.stderr, process.stderr, { end: false }),
  ]).catch(() => undefined); // the launcher has gone, and with it the reader: the job is being ended
}

async function agentSilent(own: OwnNode): Promise<never> {
  const { startSeconds } = own.site.deadlines;
  await pause(startSeconds * 1000, undefined, { signal: own.told, ref: false }).catch(() => {
    throw asJobError(own.told.reason);
  });
  throw new JobError({
    code: 'NODE_LATE',
    message: `the agent in the container did not call within ${startSeconds} s.`,
  });
}

/** The container has ended although nobody said so. */
async function endedEarly(own: OwnNode, ended: Promise<ContainerEnd>): Promise<never> {
  const { exitStatus, outOfMemory } = await ended.catch((error: unknown) => {
    throw own.told.aborted ? asJobError(own.told.reason) : error;
  });
  throw new JobError({
    code: 'NODE_LOST',
    message: outOfMemory
      ? `the container was killed because it needed more memory than the job was given.`
      : `the container ended unexpectedly with status ${exitStatus}.`,
    hint: outOfMemory ? 'Ask the scheduler for more memory.' : undefined,
  });
}

/** Publishes the command's end, for as long as it takes to outlive an outage of the store. */
async function publishEnd(own: OwnNode, end: JobEnd): Promise<void> {
  for (;;) {
    try {
      await endJob(own.store, own.site.site.keyPrefix, own.plan.job, end);
      return;
    } catch (error) {
      if (own.told.aborted) throw error;
      await pause(1000);
    }
  }
}

async function reportTrouble(context: HelperContext, own: OwnNode, error: JobError): Promise<void> {
  process.exitCode = error.exitStatus;
  context.audit.record('node-failed', {
    job: own.plan.job,
    node: own.node.index,
    code: error.code,
    message: error.message,
  });
  const text = [`${error.code}:`, error.message, error.hint].filter(Boolean).join(' ').slice(0, 2000);
  await report(own, { ERROR: text, PHASE: 'failed' }).catch(() => {
    process.stderr.write(`hpc-dockerjob-helper: ${error.toLine()}\n`);
  });
}

async function releaseAndReport(context: HelperContext, own: OwnNode): Promise<void> {
  const leftovers = await releaseHere(context, own.plan.job, { nodeIndex: own.node.index });
  reached(own, 'released');
  const stepTimesMs = Object.entries(own.stepTimesMs).map(([step, ms]) => `${step} ${ms}`);
  context.audit.record('node-released', { job: own.plan.job, node: own.node.index, leftovers, stepTimesMs });
  if (leftovers.length === 0) {
    // Not told: the trace stays, and by it the epilog or `reap` tells the store later.
    const told = await report(own, { PHASE: 'released' }).then(
      () => true,
      () => false,
    );
    if (told) await forgetJobHere(own.plan.job);
  } else process.stderr.write(`hpc-dockerjob-helper: left behind on ${own.node.host}: ${leftovers.join('; ')}\n`);
}

/** A scheduler's TERM, or a hang-up: the node ends and says so. */
function listenToSignals(undo: AsyncDisposableStack): AbortSignal {
  const controller = new AbortController();
  const stop = (signal: NodeJS.Signals): void =>
    controller.abort(
      new JobError({
        code: signal === 'SIGINT' ? 'INTERRUPTED' : 'TERMINATED',
        message: `the scheduler ended the job (${signal}).`,
      }),
    );
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, stop);
  undo.defer(() => signals.forEach((signal) => process.removeListener(signal, stop)));
  return controller.signal;
}

/**
 * Suspension by the scheduler reaches this process, not the container: passed on as pause and unpause. Meanwhile PHASE
 * hangs on no lease, since this process cannot renew one.
 */
function passOnSuspension(context: HelperContext, own: OwnNode, container: Container): Disposable {
  const phase = (): NodePhase => {
    if (own.life.lease === undefined) return 'suspended';
    if ('start' in own.stepTimesMs) return 'running';
    return 'ready' in own.stepTimesMs ? 'ready' : 'discovering';
  };
  const hold = async (): Promise<void> => await report(own, { PHASE: phase() });
  return followSuspension(
    {
      suspend: async () => void (await Promise.all([container.pause(), own.life.suspend(hold)])),
      resume: async () => void (await Promise.all([container.unpause(), own.life.resume(hold)])),
    },
    (error) =>
      context.audit.record('suspension-failed', {
        job: own.plan.job,
        node: own.node.index,
        message: asJobError(error).message,
      }),
  );
}
