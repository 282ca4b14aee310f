import { readFile } from 'node:fs/promises';
import type { Container, ContainerSpec, ImageFacts } from '../../ports/container-engine.ts';
import type { NetworkDriver } from '../../ports/network-driver.ts';
import type { JobCgroup } from '../../ports/scheduler.ts';
import { hierarchiesBelow } from '../../cgroup/hierarchies.ts';
import { findCgroupParent } from '../../cgroup/parent-for.ts';
import { holdParent } from '../../cgroup/sweep.ts';
import { markCgroup } from '../host/cgroup-marks.ts';
import { allOrNone } from '../../system/all-or-none.ts';
import { markHelper } from '../host/helper-marks.ts';
import { hasInput, makeJobInput } from '../host/job-input.ts';
import { createNodeRunDirectory, jobRunDirectory } from '../host/run-directory.ts';
import type { HelperContext } from '../open-context.ts';
import { chooseLimits } from './choose-limits.ts';
import type { HostShare } from './confirm-share.ts';
import { describeContainer } from '../../policy/describe-container.ts';
import { examineImage } from './examine-image.ts';
import type { OwnNode } from './own-node.ts';
import { reached } from './own-node.ts';
import { serveAgent } from './serve-agent.ts';
import type { AgentServer } from './serve-agent.ts';

/** What stands on this host before the node's container is made. */
export interface PreparedNode {
  /** Where its agent will call. */
  readonly server: AgentServer;
  readonly image: ImageFacts;
  /** The one that has prepared the job's network here, which it knows when it attaches. */
  readonly driver: NetworkDriver;
  readonly spec: ContainerSpec;
  readonly cgroupParent: string | undefined;
  /** The hierarchies in which the scheduler itself has the job. */
  readonly schedulerCgroups: readonly string[];
}

/** Makes the node's network, files and socket, and describes its container. */
export async function prepareNode(
  context: HelperContext,
  own: OwnNode,
  given: {
    readonly cgroup: JobCgroup | undefined;
    readonly share: HostShare | undefined;
    readonly image: ImageFacts;
    readonly devices: readonly string[];
  },
  undo: AsyncDisposableStack,
): Promise<PreparedNode> {
  const { plan, node, site } = own;
  const { image } = given;
  const driver = context.network(plan.network.driver);
  // All of them through before the undo of any: a network that is made meanwhile would stay.
  const [cgroupParent, network, directory, input] = await allOrNone([
    findCgroupParent({ engine: context.engine, isRequired: site.scheduler.requireJobCgroup }, given.cgroup),
    driver.prepare(plan, node),
    createNodeRunDirectory(plan, node),
    hasInput(plan, node) ? makeJobInput(plan, site.scheduler.commandPath) : undefined,
  ]);
  const schedulerCgroups =
    cgroupParent === undefined ? [] : hierarchiesBelow(await readFile('/proc/self/cgroup', 'utf8'), cgroupParent);
  reached(own, 'prepared');
  const server = await serveAgent(directory.agentSocket, plan.user.uid);
  undo.defer(async () => await server.close());
  const spec = describeContainer({ ...plan, image }, node, {
    site,
    ...(await context.findRuntime()),
    runMounts: [...directory.mounts, ...(input === undefined ? [] : [input])],
    network,
    cgroupParent,
    schedulerCgroups,
    limits: await chooseLimits(context, own, { ...given, cgroupParent }),
    image,
    devices: given.devices,
  });
  return { server, image, driver, spec, cgroupParent, schedulerCgroups };
}

/** Makes the container, once its image is known to make the engine do nothing else than it is told. */
export async function createContainer(
  context: HelperContext,
  own: OwnNode,
  { spec, image, cgroupParent, schedulerCgroups }: PreparedNode,
): Promise<Container> {
  const { plan } = own;
  const siteTargets = plan.mounts.map(({ target }) => target);
  await examineImage(context.engine, spec, { reference: plan.image.reference, facts: image, siteTargets });
  reached(own, 'examined');
  await markHelper(jobRunDirectory(plan.job)); // before there is a container whose removal may depend on our reading
  if (cgroupParent !== undefined) {
    await markCgroup(plan.job, own.node.index, { path: cgroupParent, schedulers: schedulerCgroups });
    await holdParent(cgroupParent, schedulerCgroups);
  }
  const container = await context.engine.createContainer(spec);
  reached(own, 'created');
  return container;
}
