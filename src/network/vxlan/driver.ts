import type { ContainerEngine } from '../../ports/container-engine.ts';
import type { NetworkDriver, NetworkNode, NetworkPlan } from '../../ports/network-driver.ts';
import { JobError } from '../../values/errors.ts';
import { runInside, saysExists } from '../inside-container.ts';
import type { HostCommands } from '../../ports/host-commands.ts';
import { findJobTable, findTabledJobs, installJobTable, removeJobTable } from '../job-table.ts';
import { requirePrivilegedPorts } from './privileged-ports.ts';
import { planTunnel } from './tunnel.ts';
import type { Tunnel } from './tunnel.ts';
import { describeVxlanFilter } from './filter.ts';
import { findEarlierLink, linkTaken } from './earlier-link.ts';
import { describeAddresses, describeForwarding, describeLink } from './link.ts';

/**
 * One VXLAN network per job, between the hosts by unicast to the known peers. The container gets the link itself:
 * what is left on the host is one nftables table, which stands before the link and goes after it.
 */
export function vxlanDriver(engine: Pick<ContainerEngine, 'findContainers'>, commands: HostCommands): NetworkDriver {
  const filtered = new Set<string>();
  const prepare = async (plan: NetworkPlan, node: NetworkNode): Promise<void> => {
    const tunnel = planTunnel(plan, node);
    await Promise.all([requirePrivilegedPorts(commands), requireUnderlay(commands, tunnel.own.hostAddress)]);
    await installJobTable(commands, plan.job, describeVxlanFilter(tunnel));
    filtered.add(plan.token);
  };
  return {
    prepare: async (plan, node) => {
      await prepare(plan, node);
      return { kind: 'none' };
    },
    attach: async (plan, node, { networkNamespacePath }) => {
      // No link without its filter, whoever calls.
      if (!filtered.has(plan.token)) await prepare(plan, node);
      await attachLink(commands, planTunnel(plan, node), networkNamespacePath);
    },
    release: (job) => removeJobTable(engine, commands, job),
    findLeftovers: (job) => findJobTable(commands, job),
    findJobs: () => findTabledJobs(commands),
  };
}

async function attachLink(commands: HostCommands, tunnel: Tunnel, networkNamespacePath: string): Promise<void> {
  const inside = async (line: readonly [string, ...string[]], input?: string): Promise<string> =>
    await runInside(commands, networkNamespacePath, line, input);
  const findEarlier = async (): Promise<string | undefined> =>
    findEarlierLink(await inside(['ip', '-details', '-json', 'link', 'show']), tunnel);
  const underlay = await requireUnderlay(commands, tunnel.own.hostAddress);
  const addLink = async (): Promise<unknown> =>
    await commands.run('ip', describeLink(tunnel, networkNamespacePath, underlay));
  await addLink().catch(async (error: unknown) => {
    if (!saysExists(error)) throw error;
    // A try before this one may have come half-way.
    const earlier = await findEarlier();
    if (earlier === undefined) throw linkTaken(error, tunnel);
    await inside(['ip', 'link', 'delete', 'dev', earlier]);
    await addLink();
  });
  await inside(['ip', '-batch', '-'], describeAddresses(tunnel)).catch(async (error: unknown) => {
    // Says whose link it is that has the final name.
    if (saysExists(error)) await findEarlier();
    throw error;
  });
  await inside(['bridge', '-batch', '-'], describeForwarding(tunnel));
}

/** Name of the link that has the address; fails with `HOST_UNFIT` when the address is not this host's. */
async function requireUnderlay(commands: HostCommands, hostAddress: string): Promise<string> {
  const name = await commands.findInterface(hostAddress);
  if (name !== undefined) return name;
  throw new JobError({
    code: 'HOST_UNFIT',
    message: `The job's network should end at ${hostAddress}, which is no address of this host.`,
    hint: "The host's name must resolve to its own address on every host of the cluster.",
  });
}
