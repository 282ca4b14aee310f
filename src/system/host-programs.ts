/** All programs of the host that root runs for a job, with the Debian package of each. */
export const hostPrograms = {
  ip: 'iproute2',
  bridge: 'iproute2',
  nft: 'nftables',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  sysctl: 'procps',
  mkfifo: 'coreutils',
} as const;
export type HostProgram = keyof typeof hostPrograms;
