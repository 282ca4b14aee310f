import { containerInterface } from '../inside-container.ts';
import { sourcePorts } from './filter.ts';
import type { Tunnel } from './tunnel.ts';

/**
 * Name of the link until it is renamed inside the container. Kernels before 6.18 refuse to make a link in another
 * namespace under a name that our own namespace has, and many hosts have an `eth0`. The network identifier is the job's
 * alone on every host.
 */
export function linkName({ vni }: Pick<Tunnel, 'vni'>): string {
  return `hpcdjv${vni.toString(16)}`;
}

/**
 * Arguments of `ip` that make the link inside the container's namespace with its tunnel end in ours, on the host's link
 * `underlay`, from which it takes its MTU less the tunnel's 50 bytes. So the host has no bridge, no veth and no address
 * on the job's network, and the kernel removes the link with the container.
 */
export function describeLink(tunnel: Tunnel, networkNamespacePath: string, underlay: string): readonly string[] {
  const { own, vni, port, mtu } = tunnel;
  return [
    ...['link', 'add', 'name', linkName(tunnel), ...(mtu === 0 ? [] : ['mtu', String(mtu)])],
    ...['address', own.mac, 'netns', networkNamespacePath],
    ...['type', 'vxlan', 'id', String(vni), 'dev', underlay, 'local', own.hostAddress],
    ...['dstport', String(port), 'nolearning'],
    // The kernel takes the upper end as excluded.
    ...['srcport', String(sourcePorts.first), String(sourcePorts.last + 1)],
  ];
}

/**
 * Lines for `ip -batch` in the container's namespace: the link gets its final name first. Every peer is a permanent neighbour and ARP is off: nobody asks
 * and nobody can answer for another; no IPv6 address comes up by itself.
 */
export function describeAddresses({ own, peers, prefixLength, vni }: Tunnel): string {
  const link = `dev ${containerInterface}`;
  const lines = [
    `link set dev ${linkName({ vni })} name ${containerInterface}`,
    `link set ${link} addrgenmode none`,
    `link set ${link} arp off`,
    `link set ${link} multicast off`,
    `address add ${own.ip}/${prefixLength} ${link}`,
    `link set ${link} up`,
    ...peers.map(({ ip, mac }) => `neighbour replace ${ip} lladdr ${mac} nud permanent ${link}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** Lines for `bridge -batch`: behind which host each peer lies. No entry for all others: nothing is ever flooded. */
export function describeForwarding({ peers }: Tunnel): string {
  return peers
    .map(({ mac, hostAddress }) => `fdb replace ${mac} dev ${containerInterface} dst ${hostAddress} self permanent\n`)
    .join('');
}
