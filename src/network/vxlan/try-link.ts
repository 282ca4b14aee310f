import type { HostCommands } from '../../ports/host-commands.ts';
import { runApart } from '../run-apart.ts';
import { describeVxlanFilter } from './filter.ts';
import { requirePrivilegedPorts } from './privileged-ports.ts';
import type { VxlanSection } from './settings.ts';

const own = { ip: '192.0.2.1', mac: '02:00:c0:00:02:01', hostAddress: '198.51.100.1' };
const peer = { ip: '192.0.2.2', mac: '02:00:c0:00:02:02', hostAddress: '198.51.100.2' };

/** Makes a link and the filter of a job apart from the host. Fails with `HOST_UNFIT` and the words of the kernel. */
export async function tryLink(commands: HostCommands, { vxlan: { port } }: VxlanSection): Promise<void> {
  const filter = describeVxlanFilter({ vni: 1, port, mtu: 0, prefixLength: 24, own, peers: [peer] });
  await Promise.all([
    requirePrivilegedPorts(commands),
    runApart(commands, 'ip', ['-batch', '-'], `link add hpcdj0 type vxlan id 1 dstport ${port} nolearning\n`),
    runApart(commands, 'nft', ['-f', '-'], `table inet hpcdj_0 {\n${filter}\n}\n`),
  ]);
}
