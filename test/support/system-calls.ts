/** System calls for the tests of what a container may do, with their numbers on this machine's architecture. */

export interface SystemCall {
  readonly name: string;
  readonly number: number;
  /** As test/support/probe-system-calls.pl reads them. */
  readonly words: readonly string[];
}

/** Numbers on x86_64 and aarch64; undefined = this architecture never had it. */
type Line = readonly [name: string, x64: number | undefined, arm64: number | undefined, words: string];

const closed: readonly Line[] = [
  ['io_uring_setup', 425, 425, '1 zeros'],
  ['io_uring_enter', 426, 426, '0 0 0 0 0'],
  ['io_uring_register', 427, 427, '0 0 0 0'],
  ['userfaultfd', 323, 282, '1'],
  ['bpf', 321, 280, '0 zeros 64'],
  ['perf_event_open', 298, 241, 'zeros 0 -1 -1 0'],
  ['add_key', 248, 217, '"user" "a" "b" 1 -3'],
  ['request_key', 249, 218, '"user" "a" 0 0'],
  ['keyctl', 250, 219, '0 -3 1'],
  ['kexec_load', 246, 104, '0 0 0 0'],
  ['kexec_file_load', 320, 294, '0 0 0 0 0'],
  ['init_module', 175, 105, 'zeros 64 zeros'],
  ['finit_module', 313, 273, '0 zeros 0'],
  ['delete_module', 176, 106, '"none" 0'],
  ['mount', 165, 40, '"a" "/tmp" "tmpfs" 0 0'],
  ['umount2', 166, 39, '"/tmp" 0'],
  ['pivot_root', 155, 41, '"/" "/"'],
  ['open_tree', 428, 428, '-100 "/" 1'],
  ['move_mount', 429, 429, '-100 "/" -100 "/" 0'],
  ['fsopen', 430, 430, '"tmpfs" 0'],
  ['fsconfig', 431, 431, '0 0 0 0 0'],
  ['fsmount', 432, 432, '0 0 0'],
  ['fspick', 433, 433, '-100 "/" 0'],
  ['mount_setattr', 442, 442, '-100 "/" 0 zeros 32'],
  ['statmount', 457, 457, 'zeros zeros 64 0'],
  ['unshare-user', 272, 97, '0x10000000'],
  ['unshare-net', 272, 97, '0x40000000'],
  ['unshare-time', 272, 97, '0x80'],
  ['clone-user', 56, 220, '0x10000011 0 0 0 0'],
  ['clone-mount', 56, 220, '0x20011 0 0 0 0'],
  ['clone3', 435, 435, 'zeros 64'],
  ['setns', 308, 268, '0 0'],
  ['open_by_handle_at', 304, 265, '-100 zeros 0'],
  ['quotactl', 179, 60, '0 0 0 0'],
  ['quotactl_fd', 443, 443, '0 0 0 0'],
  ['acct', 163, 89, '0'],
  ['swapon', 167, 224, '"/none" 0'],
  ['swapoff', 168, 225, '"/none"'],
  ['reboot', 169, 142, '0 0 0 0'],
  ['sethostname', 170, 161, '"a" 1'],
  ['setdomainname', 171, 162, '"a" 1'],
  ['iopl', 172, undefined, '3'],
  ['ioperm', 173, undefined, '0 1 1'],
  ['modify_ldt', 154, undefined, '0 zeros 16'],
  ['uselib', 134, undefined, '"/none"'],
  ['settimeofday', 164, 170, 'zeros 0'],
  ['clock_settime', 227, 112, '0 zeros'],
  ['chroot', 161, 51, '"/tmp"'],
  ['syslog', 103, 116, '10 0 0'],
  ['lookup_dcookie', 212, 18, '0 zeros 64'],
  ['fanotify_init', 300, 262, '0x200 0'],
  ['memfd_secret', 447, 447, '0'],
  ['personality-without-randomization', 135, 92, '0x40000'],
  ['nfsservctl', 180, 42, '0 0 0'],
];

const open: readonly Line[] = [
  ['get_mempolicy', 239, 236, '0 0 0 0 0'],
  ['set_mempolicy', 238, 237, '0 0 0'],
  ['mbind', 237, 235, '0 0 0 0 0 0'],
  ['move_pages', 279, 239, '0 0 0 0 0 0'],
  ['kcmp', 312, 272, 'self self 1 0 0'],
  ['personality-asked', 135, 92, '0xffffffff'],
  ['pidfd_open', 434, 434, 'self 0'],
  ['memfd_create', 319, 279, '"a" 0'],
  ['sched_getaffinity', 204, 123, '0 128 zeros'],
  ['getpid', 39, 172, ''],
];

export const closedCalls = onThisMachine(closed);
export const openCalls = onThisMachine(open);
export const socketNumber = process.arch === 'x64' ? 41 : 198;

/** Families, types and protocols of `socket`. */
interface SocketKind {
  readonly name: string;
  readonly words: readonly [family: number, type: number, protocol: number];
}

const nonBlocking = 0o4000;

export const openSockets: readonly SocketKind[] = [
  { name: 'AF_UNIX', words: [1, 1, 0] },
  { name: 'AF_UNIX-seqpacket', words: [1, 5, 0] },
  { name: 'AF_INET-TCP', words: [2, 1 + nonBlocking, 6] },
  { name: 'AF_INET-stream', words: [2, 1, 0] },
  { name: 'AF_INET-UDP', words: [2, 2, 17] },
  { name: 'AF_INET6-TCP', words: [10, 1, 6] },
  { name: 'AF_INET6-UDP', words: [10, 2, 0] },
  { name: 'NETLINK_ROUTE', words: [16, 3, 0] },
  { name: 'NETLINK_RDMA', words: [16, 3, 20] },
  { name: 'AF_IB', words: [27, 1, 0] },
];

/** Every other family of Linux, and of those that are open the protocols and types that are not. */
export const closedSockets: readonly SocketKind[] = [
  ...Array.from({ length: 47 }, (_, family) => family)
    .filter((family) => ![1, 2, 10, 16, 27].includes(family))
    .flatMap((family) =>
      [1, 2, 3, 5].map((type) => ({ name: `family-${family}-${type}`, words: [family, type, 0] as const })),
    ),
  { name: 'AF_INET-raw', words: [2, 3, 1] },
  { name: 'AF_INET-SCTP', words: [2, 1, 132] },
  { name: 'AF_INET-seqpacket', words: [2, 5, 0] },
  { name: 'AF_INET-DCCP', words: [2, 6, 33] },
  { name: 'AF_INET-L2TP', words: [2, 2, 115] },
  { name: 'AF_INET6-UDPLITE', words: [10, 2, 136] },
  { name: 'NETLINK_NETFILTER', words: [16, 3, 12] },
  { name: 'NETLINK_XFRM', words: [16, 3, 6] },
  { name: 'NETLINK_CRYPTO', words: [16, 3, 21] },
  { name: 'NETLINK_GENERIC', words: [16, 3, 16] },
];

function onThisMachine(lines: readonly Line[]): readonly SystemCall[] {
  return lines.flatMap(([name, x64, arm64, words]) => {
    const number = process.arch === 'x64' ? x64 : arm64;
    return number === undefined ? [] : [{ name, number, words: words.split(' ').filter(Boolean) }];
  });
}
