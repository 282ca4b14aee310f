import { containerInterface } from '../inside-container.ts';

/** The end with the address. */
export interface LinkEnd {
  readonly ip: string;
  readonly mac: string;
  readonly prefixLength: number;
}

/** The other end of the pair, in the container as well, without an address. */
const otherEnd = 'peer0';

/**
 * Lines for `ip -batch` in the container's namespace: a pair of links, so that the one with the address is up as on a
 * wire. No ARP, no multicast, and no IPv6 address comes up by itself.
 */
export function describeLink({ ip, mac, prefixLength }: LinkEnd): string {
  const lines = [
    `link add name ${containerInterface} address ${mac} type veth peer name ${otherEnd}`,
    ...[containerInterface, otherEnd].map((name) => `link set dev ${name} addrgenmode none arp off multicast off`),
    `address add ${ip}/${prefixLength} dev ${containerInterface}`,
    ...[otherEnd, containerInterface].map((name) => `link set dev ${name} up`),
  ];
  return `${lines.join('\n')}\n`;
}
