import type { HostCommands } from './host-commands.ts';
import { describeVxlanFilter } from './vxlan-filter.ts';
import { requirePrivilegedPorts } from './privileged-ports.ts';

const own = { ip: '192.0.2.1', mac: '02:00:c0:00:02:01', hostAddress: '198.51.100.1' };
const peer = { ip: '192.0.2.2', mac: '02:00:c0:00:02:02', hostAddress: '198.51.100.2' };

/**
 * Makes a VXLAN link, a bridge and the filter of a job, each in a network namespace of its own that ends with the
 * command: nothing of the host is touched, whatever happens. Fails with `HOST_UNFIT` and the words of the kernel.
 */
export async function tryJobNetwork(commands: HostCommands, port: number): Promise<void> {
  const apart = async (name: string, argv: readonly string[], input: string): Promise<string> =>
    await commands.run('unshare', ['--net', '--', name, ...argv], input);
  const tunnel = { vni: 1, port, mtu: 0, prefixLength: 24, own, peers: [peer] };
  await Promise.all([
    requirePrivilegedPorts(commands),
    apart('ip', ['-batch', '-'], `link add hpcdj0 type vxlan id 1 dstport ${port} nolearning\n`),
    apart('ip', ['-batch', '-'], 'link add hpcdj0 type bridge\n'),
    apart('nft', ['-f', '-'], `table inet hpcdj_0 {\n${describeVxlanFilter(tunnel)}\n}\n`),
  ]);
}
