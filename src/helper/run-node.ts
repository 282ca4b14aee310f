import { readdir } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { pipeline } from 'node:stream/promises';
import { checkUntamperable } from '../config/check-untamperable.ts';
import type { Container, ContainerEnd, ContainerOutput, ImageFacts } from '../ports/container-engine.ts';
import type { JobCgroup } from '../ports/scheduler.ts';
import type { Store } from '../ports/store.ts';
import { asJobError, JobError } from '../shared/errors.ts';
import type { JobEnd } from '../shared/helper-events.ts';
import type { JobKey } from '../shared/job-key.ts';
import { nodeHostname } from '../shared/job-key.ts';
import type { JobPlan } from '../shared/job-plan.ts';
import { controlRange } from '../shared/kvs-keys.ts';
import { converse } from './converse.ts';
import { describeContainer, isolateAgent } from './describe-container.ts';
import { endJob } from './end-job.ts';
import { checkPlacement, containerCgroupParent, requireJobCgroup } from './find-job-cgroup.ts';
import { requireOwner } from './identify-caller.ts';
import { parseJobState } from './job-state.ts';
import type { HelperContext } from './open-context.ts';
import { openStoreOf } from './open-context.ts';
import type { OwnNode } from './own-node.ts';
import { claimNode, findOwnNode, report } from './own-node.ts';
import { releaseHere } from './release-here.ts';
import { createNodeRunDirectory } from './run-directory.ts';
import { serveAgent } from './serve-agent.ts';

/**
 * Starts this host's container of the job as the plan says, leads its agent through discovery, and stays until the
 * job has ended and nothing of it is left here. Trouble is written to the node's ERROR key: the keeper ends the job.
 * Fails itself only when there is no such job for this caller on this host.
 */
export async function runNode(context: HelperContext, job: JobKey): Promise<void> {
  const { site } = context;
  await using undo = new AsyncDisposableStack();
  const told = listenToSignals(undo);
  const store = await openStoreOf(site, job);
  undo.defer(async () => await store.close());
  const plan = await readPlan(store, site.site.keyPrefix, job);
  requireOwner(context.caller, plan.user.uid, job);
  const cgroup = await requireJobCgroup(site, context.authority, { ...plan, uid: plan.user.uid });
  const own: OwnNode = { site, store, plan, node: findOwnNode(plan), told };
  if (!(await claimNode(own))) {
    throw new JobError({
      code: 'JOB_BUSY',
      message: `${nodeHostname(job, own.node.index)} is already being run on this host.`,
    });
  }
  undo.defer(async () => await releaseAndReport(context, own));
  try {
    await leadNode(context, own, cgroup, undo);
  } catch (thrown) {
    await reportTrouble(context, own, asJobError(thrown));
  }
}

/** The steps of one node; each leaves its undo on the stack before the next begins. */
async function leadNode(
  context: HelperContext,
  own: OwnNode,
  cgroup: JobCgroup | undefined,
  undo: AsyncDisposableStack,
): Promise<void> {
  const { plan, node, site } = own;
  const driver = context.network(plan.network.driver);
  const [engine, image, directory] = await Promise.all([
    context.engine.ping(),
    findPlannedImage(context, own),
    createNodeRunDirectory(plan, node),
    checkMountsHere(own),
  ]);
  const cgroupParent = containerCgroupParent(cgroup, engine, site);
  const server = await serveAgent(directory.agentSocket, plan.user.uid);
  undo.defer(async () => await server.close());
  const container = await context.engine.createContainer(
    describeContainer(plan, node, {
      site,
      runtimeDirectory: context.runtimeDirectory,
      loaderName: await findLoader(context.runtimeDirectory),
      runMounts: directory.mounts,
      network: await driver.prepare(plan, node),
      cgroupParent,
      imageEnvironment: image.environment,
    }),
  );
  const drained = drainOutput(await container.attachOutput());
  const running = await container.start();
  undo.defer(async () => {
    await container.stop(site.deadlines.stopSeconds);
    await Promise.race([drained, pause(site.deadlines.stopSeconds * 1000, undefined, { ref: false })]);
  });
  followSuspension(container, undo);
  const ended = container.waitForEnd(own.told);
  ended.catch(() => undefined);
  await checkPlacement(running.pid, cgroupParent);
  await driver.attach(plan, node, running);
  await report(own, { PHASE: 'discovering' });
  const link = await Promise.race([server.link, agentSilent(own), endedEarly(own, ended)]);
  const end = await Promise.race([
    converse(own, link, isolateAgent(image.environment).restored),
    endedEarly(own, ended),
  ]);
  if (end !== undefined) await publishEnd(own, end);
  await report(own, { PHASE: 'stopping' }).catch(() => undefined);
  // The agent ends by itself now; the stop on the undo stack is for one that does not.
  await Promise.race([ended, pause(site.deadlines.stopSeconds * 1000, undefined, { ref: false })]).catch(
    () => undefined,
  );
}

async function readPlan(store: Store, prefix: string, job: JobKey): Promise<JobPlan> {
  const { plan, finish } = parseJobState(prefix, job, await store.read(controlRange(prefix, job)));
  if (plan !== undefined && finish === 'running') return plan;
  throw new JobError({
    code: 'JOB_NOT_YOURS',
    message: plan === undefined ? `There is no open job ${job}.` : `Job ${job} has ended already.`,
    hint: 'run-node is called by hpc-submit-dockerjob on every host of a job.',
  });
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

async function findLoader(runtimeDirectory: string): Promise<string> {
  const names = await readdir(`${runtimeDirectory}/lib`).catch(() => []);
  const loader = names.find((name) => /^ld-linux.*\.so\.\d+$/.test(name));
  if (loader !== undefined) return loader;
  throw new JobError({
    code: 'HOST_UNFIT',
    message: `The runtime for containers is missing in ${runtimeDirectory}.`,
    hint: 'An administrator runs hpc-dockerjob-setup on this host.',
  });
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
  context.audit.record('node-released', { job: own.plan.job, node: own.node.index, leftovers });
  if (leftovers.length === 0) await report(own, { PHASE: 'released' }).catch(() => undefined);
  else process.stderr.write(`hpc-dockerjob-helper: left behind on ${own.node.host}: ${leftovers.join('; ')}\n`);
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

/** Suspension by the scheduler reaches this process, not the container: passed on as pause and unpause. */
function followSuspension(container: Container, undo: AsyncDisposableStack): void {
  const suspend = (): void => void container.pause().catch(() => undefined);
  const resume = (): void => void container.unpause().catch(() => undefined);
  process.on('SIGTSTP', suspend);
  process.on('SIGCONT', resume);
  undo.defer(() => {
    process.removeListener('SIGTSTP', suspend);
    process.removeListener('SIGCONT', resume);
  });
}
