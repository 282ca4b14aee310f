import { fstatSync, statfsSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { isatty } from 'node:tty';
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

/**
 * Makes sure that a job's output reaches a user's file by a process of that user's own: root would write into it past the
 * user's quota and limits, into what a file system keeps for root, and for ever where its server is the user. Fails with
 * `USAGE`.
 */
export function requireReader(descriptor: number): void {
  const found = look(descriptor);
  if (found === undefined || found.isFIFO() || found.isSocket() || isHarmlessDevice(descriptor, found)) return;
  throw new JobError({
    code: 'USAGE',
    message: 'Standard output or error is a file or a device. The helper writes the output of jobs into none.',
    hint: 'Run hpc-submit-dockerjob, which calls the helper; by hand: sudo hpc-dockerjob-helper VERB 2>&1 | cat >FILE.',
  });
}

/** Linux: /dev/null and /dev/full. */
const bottomless: readonly number[] = [0x103, 0x107];

function isHarmlessDevice(descriptor: number, found: Stats): boolean {
  return found.isCharacterDevice() && (bottomless.includes(found.rdev) || isatty(descriptor));
}

/** Undefined for what is not open: nothing is written to it. */
function look(descriptor: number): Stats | undefined {
  try {
    return fstatSync(descriptor);
  } catch {
    return undefined;
  }
}

function isOfKernel(descriptor: number): boolean {
  try {
    // Pipes, sockets and terminals are none; the kernel's own file systems answer at once.
    return look(descriptor)?.isFile() === true && ofKernel.has(statfsSync(`/proc/self/fd/${descriptor}`).type);
  } catch {
    return false;
  }
}
