/**
 * IPv4 networks as text (`10.128.4.0/24`). Functions that take a CIDR or an address expect one that was checked
 * before (`parseCidr`, `parseAddress`): anything else is a fault of the caller and throws a RangeError.
 */

/** A network in numbers; `address` is the network address, host bits are zero. */
export interface Cidr {
  readonly address: number;
  readonly prefixLength: number;
}

/** Addresses of a subnet that no node gets: the network's own, the broadcast address and the gateway. */
const reservedAddresses = 3;

/** An IPv4 address in canonical form (no leading zeros) as a number, or undefined. */
export function parseAddress(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let address = 0;
  for (const digits of match.slice(1)) {
    const octet = Number(digits);
    if (octet > 255 || String(octet) !== digits) return undefined;
    address = address * 256 + octet;
  }
  return address;
}

/** A CIDR whose host bits are all zero, or undefined. */
export function parseCidr(text: string): Cidr | undefined {
  const match = /^([0-9.]{7,15})\/(0|[1-9]\d?)$/.exec(text);
  const address = match?.[1] === undefined ? undefined : parseAddress(match[1]);
  const prefixLength = Number(match?.[2]);
  if (address === undefined || prefixLength > 32 || address % sizeOf(prefixLength) !== 0) return undefined;
  return { address, prefixLength };
}

/** `10.128.4.1` */
export function formatAddress(address: number): string {
  if (!Number.isInteger(address) || address < 0 || address > 0xff_ff_ff_ff)
    throw new RangeError(`No IPv4 address: ${address}`);
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}

/** How many subnets of `prefixLength` fit into the pool; 0 when the pool is smaller than one. */
export function subnetCount(pool: string, prefixLength: number): number {
  return Math.floor(2 ** (prefixLength - requireCidr(pool).prefixLength));
}

/** The n-th subnet of the pool, counted from 0. */
export function subnetAt(pool: string, prefixLength: number, n: number): string {
  if (!Number.isInteger(n) || n < 0 || n >= subnetCount(pool, prefixLength)) {
    throw new RangeError(`Pool ${pool} has no subnet number ${n} of length ${prefixLength}`);
  }
  return `${formatAddress(requireCidr(pool).address + n * sizeOf(prefixLength))}/${prefixLength}`;
}

/** Which subnet of the pool this is: the inverse of `subnetAt`; undefined when it is none of them. */
export function subnetIndex(pool: string, cidr: string): number | undefined {
  const { address, prefixLength } = requireCidr(cidr);
  const outer = requireCidr(pool);
  if (prefixLength < outer.prefixLength || !contains(outer, address)) return undefined;
  return (address - outer.address) / sizeOf(prefixLength);
}

/** How many nodes fit into a subnet of that length, its gateway left out. */
export function hostCapacity(prefixLength: number): number {
  return Math.max(0, sizeOf(prefixLength) - reservedAddresses);
}

/** Address of node `index`: 0 gets the first usable one (`.1`). The last usable one stays free for the gateway. */
export function hostAddress(cidr: string, index: number): string {
  const { address, prefixLength } = requireCidr(cidr);
  if (!Number.isInteger(index) || index < 0 || index >= hostCapacity(prefixLength)) {
    throw new RangeError(`Subnet ${cidr} has no address for node ${index}`);
  }
  return formatAddress(address + 1 + index);
}

/** The last usable address of the subnet (`.254` of a /24): never a node's. */
export function gatewayAddress(cidr: string): string {
  const { address, prefixLength } = requireCidr(cidr);
  if (hostCapacity(prefixLength) < 1) throw new RangeError(`Subnet ${cidr} is too small`);
  return formatAddress(address + sizeOf(prefixLength) - 2);
}

/** A locally administered unicast MAC address that follows from the IP address alone, so that peers can compute it. */
export function macOf(ip: string): string {
  const octets = requireAddress(ip).toString(16).padStart(8, '0').match(/../g) ?? [];
  return ['02', '68', ...octets].join(':');
}

/** True when the address lies in the network. */
export function containsAddress(cidr: string, ip: string): boolean {
  return contains(requireCidr(cidr), requireAddress(ip));
}

/** True when the two networks share an address. */
export function overlapsCidr(a: string, b: string): boolean {
  const [first, second] = [requireCidr(a), requireCidr(b)];
  return contains(first, second.address) || contains(second, first.address);
}

function contains(network: Cidr, address: number): boolean {
  return address >= network.address && address < network.address + sizeOf(network.prefixLength);
}

/** Plain arithmetic, no shifts: `1 << 32` is 1. */
function sizeOf(prefixLength: number): number {
  return 2 ** (32 - prefixLength);
}

function requireCidr(text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr === undefined) throw new RangeError(`Not a canonical IPv4 network: ${text}`);
  return cidr;
}

function requireAddress(text: string): number {
  const address = parseAddress(text);
  if (address === undefined) throw new RangeError(`Not an IPv4 address: ${text}`);
  return address;
}
