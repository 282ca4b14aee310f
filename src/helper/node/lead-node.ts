import type { Container, ContainerEnd, ImageFacts, StartedContainer } from '../../ports/container-engine.ts';
import type { JobCgroup } from '../../ports/scheduler.ts';
import type { JobEnd } from '../../contract/helper-events.ts';
import { asJobError, JobError } from '../../values/errors.ts';
import { moreMemoryHint } from '../../values/own-memory.ts';
import type { HostShare } from './confirm-share.ts';
import { converse } from './converse.ts';
import { isolateAgent } from '../../policy/describe-container.ts';
import { describeMemoryTrouble, findMemoryAccount } from '../../cgroup/watch-memory.ts';
import type { MemoryAccount } from '../../cgroup/watch-memory.ts';
import { findUsageMeter } from '../../cgroup/measure-usage.ts';
import type { UsageMeter } from '../../cgroup/measure-usage.ts';
import { verifyBelow } from '../../cgroup/verify-below.ts';
import { followSuspensionSignals } from '../job/follow-suspension.ts';
import type { Suspension } from '../job/follow-suspension.ts';
import type { HelperContext } from '../open-context.ts';
import type { OwnNode } from './own-node.ts';
import { reached, report, usageOf } from './own-node.ts';
import type { OutputDelivery } from '../host/deliver-output.ts';
import type { ImageToFetch, JudgedNode } from './judge-here.ts';
import { passOnSuspension } from './pass-on-suspension.ts';
import { fetchPlannedImage } from './provide-image.ts';
import { completePlan } from '../../policy/complete-plan.ts';
import { createContainer, prepareNode } from './prepare-node.ts';
import type { PreparedNode } from './prepare-node.ts';
import { publishEnd } from './publish-end.ts';
import type { DiskWatch } from './watch-disk.ts';
import { guardOwnWatch, placeOwnGuard } from './guard-watch.ts';
import type { WatchGuard } from './guard-watch.ts';
import { watchOwnDisk } from './watch-disk.ts';
import { markRoot } from '../host/root-marks.ts';
import { pause, within } from '../../system/deadline.ts';

/** What is known of a node before anything is made for it. */
export interface GivenNode {
  readonly cgroup: JobCgroup | undefined;
  readonly share: HostShare | undefined;
  readonly delivery: OutputDelivery;
  /** This host's own verdict on the plan: nothing is made before. */
  readonly judged: Promise<JudgedNode>;
}

/** The steps of one node; each leaves its undo on the stack before the next begins. */
export async function leadNode(
  context: HelperContext,
  claimed: OwnNode,
  given: GivenNode,
  undo: AsyncDisposableStack,
): Promise<void> {
  const judged = await given.judged;
  const image = 'registry' in judged.image ? await fetchImage(context, claimed, judged, judged.image) : judged.image;
  if (image === undefined) return; // the job is over
  const own = { ...claimed, plan: completePlan(claimed.site, judged.plan, image) };
  const { devices } = judged;
  const prepared = await prepareNode(context, own, { ...given, image, devices }, undo);
  const guard = await guardOwnWatch(own, prepared.spec.name);
  if (guard !== undefined) undo.use(guard);
  const container = await createContainer(context, own, prepared).catch((error: unknown) => {
    guard?.release(); // nothing will run
    throw error;
  });
  const started = await startContainer(own, container, { delivery: given.delivery, guard }, undo);
  // Ended before the node is released: a late word of its PHASE would say that it still runs.
  const suspension = undo.use(passOnSuspension(context, own, container, started.guard));
  if (!own.signalsByStore) undo.use(followSuspensionSignals(suspension));
  const accounts = await placeContainer(own, prepared, started);
  const end = await leadAgent(own, { ...prepared, ...started, ...accounts, suspension, delivery: given.delivery });
  if (end !== undefined) await publishEnd(own, end);
  await report(own, { PHASE: 'stopping', ...usageOf(own) }).catch(() => undefined);
  // The agent ends by itself now; the stop on the undo stack is for one that does not.
  await within(own.site.deadlines.stopSeconds * 1000, started.ended, undefined, { keepsAlive: false }).catch(
    () => undefined,
  );
}

async function fetchImage(
  context: HelperContext,
  claimed: OwnNode,
  { plan }: JudgedNode,
  { registry, digest }: ImageToFetch,
): Promise<ImageFacts | undefined> {
  return await fetchPlannedImage(context, { ...claimed, plan }, registry, digest);
}

/** The container runs, though it is not known yet whether as it must. */
interface StartedNode {
  readonly running: StartedContainer;
  readonly ended: Promise<ContainerEnd>;
  /** Fails once the container holds more than it may. */
  readonly overfull: Promise<never>;
  /** Undefined where nothing need be watched. */
  readonly guard: WatchGuard | undefined;
}

async function startContainer(
  own: OwnNode,
  container: Container,
  { delivery, guard }: { readonly delivery: OutputDelivery; readonly guard: WatchGuard | undefined },
  undo: AsyncDisposableStack,
): Promise<StartedNode> {
  const stopMs = own.site.deadlines.stopSeconds * 1000;
  delivery.begin(await container.attachOutput(() => tellOfGap(own)));
  await guard?.ready; // code of the image may run before ours
  const running = await container.start();
  const disk = undo.use(watchOwnDisk(own, running));
  const { readOnlyRoot } = own.site.container;
  if (!readOnlyRoot) await markRoot(own.plan.job, own.node.index, running.pid, own.plan.user.uid);
  await placeOwnGuard(guard, own, running);
  const overfull = pauseOnExcess(disk, guard, container);
  undo.defer(async () => {
    const rest = delivery.takeRest();
    // What is over its bound must not write for another moment.
    await container.stop(disk.isExceeded() ? 0 : own.site.deadlines.stopSeconds);
    guard?.release();
    await within(stopMs, rest, undefined, { keepsAlive: false });
  });
  reached(own, 'started');
  const ended = container.waitForEnd(own.told);
  ended.catch(() => undefined);
  return { running, ended, overfull, guard };
}

/** What the kernel counts of the container, for as long as that is there. */
interface Accounts {
  readonly memory: MemoryAccount | undefined;
  readonly measureUsage: UsageMeter;
}

/** Proves that the container is where it must be, and attaches it to the job's network. */
async function placeContainer(
  own: OwnNode,
  { cgroupParent, driver }: PreparedNode,
  { running, ended }: StartedNode,
): Promise<Accounts> {
  const accounts = await unlessEnded(own, ended, async () => {
    await verifyBelow(running.pid, cgroupParent);
    const [memory, measureUsage] = await Promise.all([findMemoryAccount(running.pid), findUsageMeter(running.pid)]);
    await driver.attach(own.plan, own.node, running);
    return { memory, measureUsage };
  });
  reached(own, 'attached');
  return accounts;
}

/** Leads the agent from its call to the end of the job, which it is told. Returns the command's end, if it ran here. */
async function leadAgent(
  own: OwnNode,
  node: PreparedNode &
    StartedNode &
    Accounts & {
      readonly suspension: Suspension;
      readonly delivery: OutputDelivery;
    },
): Promise<JobEnd | undefined> {
  const { server, ended, overfull, image, memory, measureUsage, suspension, delivery } = node;
  const link = await Promise.race([server.link, agentSilent(own), endedEarly(own, ended), overfull]);
  reached(own, 'called');
  const end = await Promise.race([
    converse(own, link, suspension, isolateAgent(image.environment).restored),
    endedEarly(own, ended),
    overfull,
  ]).finally(async () => {
    // Before the container ends: soon after that the engine gives up what nobody has taken, however slow the store is now.
    void delivery.takeRest();
    // While the container is still there.
    await tellOfMemory(own, memory);
    Object.assign(own.usage, await measureUsage());
    link.send({ type: 'finish' });
  });
  reached(own, 'over');
  return end;
}

/** On the job's own standard error: of a process that was killed, MPI says no more than "signal 9", and some programs go on. */
async function tellOfMemory({ node }: OwnNode, memory: MemoryAccount | undefined): Promise<void> {
  const trouble = await memory?.readTrouble();
  if (trouble !== undefined)
    process.stderr.write(`hpc-submit-dockerjob: note: ${describeMemoryTrouble(node.host, trouble)}\n`);
}

/** On the job's own standard error: whoever reads the output must know that it is not whole. */
function tellOfGap({ node }: OwnNode): void {
  process.stderr.write(
    `hpc-submit-dockerjob: note: the Docker Engine on host ${node.host} was restarted; what the job wrote there meanwhile may be lost\n`,
  );
}

/** Fails with what the watch found, once the container does nothing more. Ranks elsewhere see it only after it is told. */
function pauseOnExcess(disk: DiskWatch, guard: WatchGuard | undefined, container: Container): Promise<never> {
  const exceeded = guard === undefined ? disk.exceeded : Promise.race([disk.exceeded, guard.exceeded]);
  const overfull = exceeded.catch(async (error: unknown) => {
    await container.pause().catch(() => undefined);
    throw error;
  });
  overfull.catch(() => undefined);
  return overfull;
}

async function agentSilent(own: OwnNode): Promise<never> {
  const { startSeconds } = own.site.deadlines;
  await pause(startSeconds * 1000, { signal: own.told, keepsAlive: false });
  if (own.told.aborted) throw asJobError(own.told.reason);
  throw new JobError({
    code: 'NODE_LATE',
    message: `the agent in the container did not call within ${startSeconds} s.`,
  });
}

/** In which an engine notes the end of a container whose first process is gone. */
const noteEndMs = 3000;

/** Who has killed the container for what it wrote said so before. */
const noteExcessMs = 200;

/** A container that ends while it is being placed fails every step in words of its own: its end is what is told. */
async function unlessEnded<T>(own: OwnNode, ended: Promise<ContainerEnd>, place: () => Promise<T>): Promise<T> {
  return await place().catch(async (error: unknown) => {
    await within(noteEndMs, endedEarly(own, ended), undefined);
    throw error;
  });
}

/** The container has ended although nobody said so. */
async function endedEarly(own: OwnNode, ended: Promise<ContainerEnd>): Promise<never> {
  const { exitStatus, outOfMemory } = await ended.catch((error: unknown) => {
    throw own.told.aborted ? asJobError(own.told.reason) : error;
  });
  // Not temporary: the next try would need as much.
  if (outOfMemory)
    throw new JobError({
      code: 'OUT_OF_MEMORY',
      message: 'the container was killed because it needed more memory than the job was given.',
      hint: moreMemoryHint,
    });
  await pause(noteExcessMs);
  throw new JobError({ code: 'NODE_LOST', message: `the container ended unexpectedly with status ${exitStatus}.` });
}
