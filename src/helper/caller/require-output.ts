import { fstatSync, statfsSync } from 'node:fs';
import { JobError } from '../../values/errors.ts';

/**
 * File systems whose files are orders to the kernel, by their magic numbers: proc, sysfs, cgroup, cgroup2, debugfs, tracefs,
 * securityfs, configfs, bpf, binfmt_misc, selinuxfs, smackfs, pstore, efivarfs, fusectl, resctrl, xenfs.
 */
const ofKernel: ReadonlySet<number> = new Set([
  ...[0x9fa0, 0x62656572, 0x27e0eb, 0x63677270, 0x64626720, 0x74726163, 0x73636673, 0x62656570, 0xcafe4a11],
  ...[0x42494e4d, 0xf97cff8c, 0x43415d53, 0x6165676c, 0xde5e81e4, 0x65735543, 0x07655821, 0xabba1974],
]);

/**
 * Makes sure that what a user has others write through this process of root's is no order to the kernel: in such files
 * (oom_score_adj, autogroup) it asks for the rights of who writes, not of who has opened them. Fails with `USAGE`.
 */
export function requireOutput(descriptor: number): void {
  if (!isOfKernel(descriptor)) return;
  throw new JobError({
    code: 'USAGE',
    message: 'Standard output or error is a file of the kernel (/proc, /sys). The helper writes into none.',
    hint: 'Give it a pipe, a terminal or a plain file.',
  });
}

function isOfKernel(descriptor: number): boolean {
  try {
    // Pipes, sockets and terminals are none; the kernel's own file systems answer at once.
    return fstatSync(descriptor).isFile() && ofKernel.has(statfsSync(`/proc/self/fd/${descriptor}`).type);
  } catch {
    return false; // not open: nothing is written to it
  }
}
