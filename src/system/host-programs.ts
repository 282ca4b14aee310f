/** All programs of the host that root's network drivers run, with the Debian package of each. */
export const hostPrograms = {
  ip: 'iproute2',
  bridge: 'iproute2',
  nft: 'nftables',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  sysctl: 'procps',
} as const;
export type HostProgram = keyof typeof hostPrograms;
