import type { Tunnel } from './tunnel.ts';

/** First and last UDP source port of the kernel's own frames: only root can bind a port below 1024. */
export const sourcePorts = { first: 600, last: 1023 } as const;

/**
 * Chains that let nobody but the peers' kernels put frames into the job's network. `@th,96,24` is the network
 * identifier: 64 bits of UDP header, then 32 bits of VXLAN flags.
 *
 * - input: only from a peer's host, from a port that no user can bind, over the link on which that host is reached:
 *   a container with a bridge of its own on this host could otherwise pretend to be a peer. It sees packets whole,
 *   after fragments were put together. The tunnel is IPv4; nothing may come over IPv6.
 * - forward: what a container of another network here sends out through the host's address translation.
 * - output: what a user of this host sends. The kernel's frames carry no socket of this namespace and pass.
 */
export function describeVxlanFilter({ vni, port, peers }: Tunnel): string {
  const frames = `udp dport ${port} @th,96,24 ${vni}`;
  const hosts = peers.map(({ hostAddress }) => hostAddress).join(', ');
  const { first, last } = sourcePorts;
  const fromPeers =
    peers.length === 0
      ? ''
      : `    ${frames} ip saddr { ${hosts} } udp sport ${first}-${last} fib saddr . iif oif exists accept\n`;
  return `  chain input {
    type filter hook input priority raw; policy accept;
${fromPeers}    ${frames} counter drop
  }
  chain forward {
    type filter hook forward priority raw; policy accept;
    ${frames} counter drop
  }
  chain output {
    type filter hook output priority raw; policy accept;
    ${frames} meta skuid != 0 counter drop
  }`;
}
