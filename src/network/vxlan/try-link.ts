import type { HostCommands } from '../../ports/host-commands.ts';
import { runApart } from '../run-apart.ts';
import { describeVxlanFilter } from './filter.ts';
import { describeAddresses, describeLink } from './link.ts';
import { requirePrivilegedPorts } from './privileged-ports.ts';
import type { VxlanSection } from './settings.ts';
import type { Tunnel } from './tunnel.ts';

const own = { ip: '192.0.2.1', mac: '02:00:c0:00:02:01', hostAddress: '127.0.0.1' };
const peer = { ip: '192.0.2.2', mac: '02:00:c0:00:02:02', hostAddress: '198.51.100.2' };
const loopback = 'lo';
/** The last identifiers below the highest: far from where the pools of sites lie. */
const triedIds = { first: 0xff_f0_00, count: 0xf_ff } as const;

/**
 * Makes a link as a job has it, under its names, from the host's own network namespace in one that ends with the
 * program, and the filter apart from the host. Fails with `HOST_UNFIT` and the words of the kernel; leaves nothing.
 */
export async function tryLink(commands: HostCommands, { vxlan: { port } }: VxlanSection): Promise<void> {
  // Another program may try at the same time.
  const vni = triedIds.first + Math.floor(Math.random() * triedIds.count);
  const tunnel = { vni, port, mtu: 0, prefixLength: 24, own, peers: [peer] };
  await Promise.all([
    requirePrivilegedPorts(commands),
    addAndRename(commands, tunnel),
    runApart(commands, 'nft', ['-f', '-'], `table inet hpcdj_0 {\n${describeVxlanFilter(tunnel)}\n}\n`),
  ]);
}

/** Where the other namespace stands while it is needed: seen by these programs alone, in a mount namespace of their own. */
const standIn = '/dev/null';
const script = 'unshare --net="$0" -- true && ip "$@" && exec nsenter --net="$0" -- ip -batch -';

async function addAndRename(commands: HostCommands, tunnel: Tunnel): Promise<void> {
  const link = describeLink(tunnel, standIn, loopback);
  await commands.run('unshare', ['--mount', '--', 'sh', '-c', script, standIn, ...link], describeAddresses(tunnel));
}
