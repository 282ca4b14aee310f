import * as z from 'zod';
import type { ContainerEngine, FoundNetwork } from '../../ports/container-engine.ts';
import type { NetworkDriver } from '../../ports/network-driver.ts';
import { JobError } from '../../values/errors.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { parseJobKey } from '../../contract/job-key.ts';
import { labels } from '../../contract/labels.ts';
import { gatewayAddress, overlapsCidr, parseAddress, parseCidr } from '../../values/subnet.ts';
import type { HostCommands } from '../../ports/host-commands.ts';
import { bridgeNames, deviceOption, engineDriver, isOwnNetwork, joinBridge } from './own-network.ts';
import { requireFreeDevice } from './require-free-device.ts';
import { findJobTable, findTabledJobs, installJobTable, removeJobTable } from '../job-table.ts';
import { parseJsonAs } from '../../values/parse-json-as.ts';

/** One Docker bridge per job, for jobs on one host. It reaches nothing but itself: not even the host. */
export function bridgeDriver(engine: ContainerEngine, commands: HostCommands): NetworkDriver {
  return {
    prepare: async (plan, node) => {
      const { cidr } = plan.network;
      if (!(await provideBridge(engine, commands, plan.job, cidr))) throw subnetInUse(cidr);
      return joinBridge(plan.job, node.ip);
    },
    attach: () => Promise.resolve(), // the engine has done it
    release: async (job) => {
      for (const { id } of await findOwn(engine, job)) await engine.removeNetwork(id);
      await removeJobTable(engine, commands, job);
    },
    reserve: (job, candidates) => reserveSubnet(engine, commands, job, candidates),
    findLeftovers: async (job) => [
      ...(await findOwn(engine, job)).map(({ name }) => `Docker network ${name}`),
      ...(await findJobTable(commands, job)),
    ],
    // By its network too: one whose creation was given up, and carried out later, has no table any more.
    findJobs: async () => {
      const networks = await findOwn(engine);
      const labelled = networks.map((network) => parseJobKey(network.labels[labels.job] ?? ''));
      return [...(await findTabledJobs(commands)), ...labelled.filter((job) => job !== undefined)];
    },
  };
}

/** Makes the job's bridge with the first of the subnets that nobody on this host uses: it is the claim on that subnet. */
async function reserveSubnet(
  engine: ContainerEngine,
  commands: HostCommands,
  job: JobKey,
  candidates: readonly string[],
): Promise<string> {
  for (const cidr of candidates) {
    if (await provideBridge(engine, commands, job, cidr)) return cidr;
  }
  await removeJobTable(engine, commands, job);
  throw subnetInUse(candidates.join(', '));
}

function subnetInUse(cidr: string): JobError {
  return new JobError({
    code: 'POOL_EXHAUSTED',
    message: `No free subnet for the job on this host: ${cidr.slice(0, 200)} is in use.`,
    hint: 'Submit again; if that does not help, ask the administrators to look at network.pool in site.yaml.',
  });
}

function nameTaken(network: string): JobError {
  return new JobError({
    code: 'JOB_BUSY',
    message: `The name or bridge of network ${network} is taken on this host.`,
  });
}

/** The networks of the job, or of all jobs, that we have made. */
async function findOwn(engine: ContainerEngine, job?: JobKey): Promise<readonly FoundNetwork[]> {
  return (await engine.findNetworks({ [labels.job]: job })).filter(isOwnNetwork);
}

/** True when the job's bridge stands with that subnet, closed off; false when the subnet is in use. Repeat-safe. */
async function provideBridge(
  engine: ContainerEngine,
  commands: HostCommands,
  job: JobKey,
  cidr: string,
): Promise<boolean> {
  const { network, device } = bridgeNames(job);
  const found = await findOwn(engine, job);
  const standing = found.find((known) => known.labels[labels.subnet] === cidr);
  for (const { id } of found.filter((known) => known !== standing)) await engine.removeNetwork(id);

  // By name, so the filter stands before the device.
  await installJobTable(commands, job, describeBridgeFilter(device));
  if (standing === undefined) {
    await requireFreeDevice(commands, device);
    if (await isRouted(commands, cidr)) return false;
    const outcome = await engine.createNetwork({
      name: network,
      driver: engineDriver,
      options: {
        [deviceOption]: device,
        'com.docker.network.bridge.enable_icc': 'true',
        'com.docker.network.bridge.enable_ip_masquerade': 'false',
      },
      cidr,
      gateway: gatewayAddress(cidr),
      labels: { [labels.job]: job, [labels.subnet]: cidr },
    });
    if (outcome === 'overlaps') return false;
    if (outcome === 'taken') throw nameTaken(network);
  }
  await takeHostOffBridge(commands, device);
  return true;
}

/** Nothing between the bridge and the host itself or anything beyond it, in either direction. */
function describeBridgeFilter(device: string): string {
  return `  chain input {
    type filter hook input priority raw; policy accept;
    iifname "${device}" counter drop
  }
  chain forward {
    type filter hook forward priority raw; policy accept;
    iifname "${device}" oifname != "${device}" counter drop
    oifname "${device}" iifname != "${device}" counter drop
  }
  chain output {
    type filter hook output priority raw; policy accept;
    oifname "${device}" counter drop
  }`;
}

/** The engine gives the host an address on every bridge. Without one the container has nothing to talk to. */
async function takeHostOffBridge(commands: HostCommands, device: string): Promise<void> {
  await commands.run('ip', ['-batch', '-'], `link set dev ${device} addrgenmode none\naddress flush dev ${device}\n`);
  // -e: a kernel without IPv6 lacks the first. An arp_ignore of 8 answers nobody.
  const switches = [`net.ipv6.conf.${device}.disable_ipv6=1`, `net.ipv4.conf.${device}.arp_ignore=8`];
  await commands.run('sysctl', ['-e', '-q', '-w', ...switches]);
}

const routesSchema = z.array(z.object({ dst: z.string() }));

/** True when the host has a route into the subnet: the engine looks at its own networks only. */
async function isRouted(commands: HostCommands, cidr: string): Promise<boolean> {
  const routes = parseJsonAs(routesSchema, (await commands.run('ip', ['-json', '-4', 'route', 'show'])) || '[]');
  return routes.some(({ dst }) => {
    const network = parseAddress(dst) === undefined ? dst : `${dst}/32`;
    const prefixLength = parseCidr(network)?.prefixLength ?? 0;
    // A default route leads everywhere and says nothing.
    return prefixLength > 0 && overlapsCidr(network, cidr);
  });
}
