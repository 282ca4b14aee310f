import { z } from 'zod';
import type { ContainerEngine } from '../ports/container-engine.ts';
import type { NetworkDriver } from '../ports/network-driver.ts';
import { JobError } from '../shared/errors.ts';
import type { JobKey } from '../shared/job-key.ts';
import type { HostCommands } from './host-commands.ts';
import { findJobTable, installJobTable, removeJobTable } from './job-table.ts';
import { planTunnel } from './tunnel.ts';
import type { Tunnel } from './tunnel.ts';
import { describeVxlanFilter } from './vxlan-filter.ts';
import {
  containerInterface,
  describeAddresses,
  describeForwarding,
  describeLink,
  vxlanOverheadBytes,
} from './vxlan-link.ts';

/**
 * One VXLAN network per job, between the hosts by unicast to the known peers. The container gets the link itself:
 * what is left on the host is one nftables table, which stands before the link and goes after it.
 */
export function vxlanDriver(engine: Pick<ContainerEngine, 'findContainers'>, commands: HostCommands): NetworkDriver {
  return {
    name: 'vxlan',
    prepare: async (plan, node) => {
      const tunnel = planTunnel(plan, node);
      await requirePrivilegedPorts(commands);
      await readUnderlayMtu(commands, tunnel.own.hostAddress);
      await installJobTable(commands, plan.job, describeVxlanFilter(tunnel));
      return { kind: 'none' };
    },
    attach: async (plan, node, { networkNamespacePath }) => {
      const tunnel = planTunnel(plan, node);
      await requireFilter(commands, plan.job);
      await attachLink(commands, tunnel, networkNamespacePath);
    },
    release: (job) => removeJobTable(engine, commands, job),
    findLeftovers: (job) => findJobTable(commands, job),
  };
}

async function requireFilter(commands: HostCommands, job: JobKey): Promise<void> {
  if ((await findJobTable(commands, job)).length > 0) return;
  throw new JobError({ code: 'HOST_UNFIT', message: `The packet filter of job ${job} is not in place on this host.` });
}

async function attachLink(commands: HostCommands, tunnel: Tunnel, networkNamespacePath: string): Promise<void> {
  const inside = async (name: string, argv: readonly string[], input?: string): Promise<string> =>
    await commands.run('nsenter', [`--net=${networkNamespacePath}`, '--', name, ...argv], input);
  // A try before this one may have come half-way.
  const links = linksSchema.parse(JSON.parse(await inside('ip', ['-json', 'link', 'show'])));
  if (links.some(({ ifname }) => ifname === containerInterface))
    await inside('ip', ['link', 'delete', 'dev', containerInterface]);

  const mtu = tunnel.mtu || (await readUnderlayMtu(commands, tunnel.own.hostAddress)) - vxlanOverheadBytes;
  await commands.run('ip', describeLink(tunnel, networkNamespacePath, mtu));
  await inside('ip', ['-batch', '-'], describeAddresses(tunnel));
  await inside('bridge', ['-batch', '-'], describeForwarding(tunnel));
}

const linksSchema = z.array(z.object({ ifname: z.string() }));
const addressesSchema = z.array(
  z.object({ mtu: z.number(), addr_info: z.array(z.object({ local: z.string().optional() })) }),
);

/** MTU of the link that has the address; fails with `HOST_UNFIT` when the address is not this host's. */
async function readUnderlayMtu(commands: HostCommands, hostAddress: string): Promise<number> {
  const links = addressesSchema.parse(JSON.parse(await commands.run('ip', ['-json', '-4', 'address', 'show'])));
  const link = links.find(({ addr_info }) => addr_info.some(({ local }) => local === hostAddress));
  if (link !== undefined) return link.mtu;
  throw new JobError({
    code: 'HOST_UNFIT',
    message: `The job's network should end at ${hostAddress}, which is no address of this host.`,
    hint: "The host's name must lead to its own address on every host of the cluster.",
  });
}

/** The filter tells the kernel's frames from a user's by their source port. */
async function requirePrivilegedPorts(commands: HostCommands): Promise<void> {
  const first = Number(await commands.run('sysctl', ['-n', 'net.ipv4.ip_unprivileged_port_start']));
  if (first >= 1024) return;
  throw new JobError({
    code: 'HOST_UNFIT',
    message: `On this host users may bind ports from ${first} on, so they could forge frames of job networks.`,
    hint: 'Ask the administrators to set net.ipv4.ip_unprivileged_port_start to 1024.',
  });
}
