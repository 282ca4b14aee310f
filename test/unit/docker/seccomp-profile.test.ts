import { expect, test } from 'vitest';
import { describeSeccomp } from '../../../src/docker/seccomp-profile.ts';

interface Rule {
  readonly names: readonly string[];
  readonly action: string;
  readonly args?: readonly object[];
}

const profile = JSON.parse(describeSeccomp().replace(/^seccomp=/, '')) as {
  readonly defaultAction: string;
  readonly archMap: readonly { readonly architecture: string; readonly subArchitectures: readonly string[] }[];
  readonly syscalls: readonly Rule[];
};
const namesOf = (rules: readonly Rule[]): readonly string[] => rules.flatMap(({ names }) => names);
const allowed = profile.syscalls.filter(({ action }) => action === 'SCMP_ACT_ALLOW');

test('refuses what it does not name, and never logs, traces or asks instead', () => {
  expect(profile.defaultAction).toBe('SCMP_ACT_ERRNO');
  expect(new Set(profile.syscalls.map(({ action }) => action))).toEqual(new Set(['SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO']));
});

test('names each call once, or by what it is called with', () => {
  const plain = namesOf(profile.syscalls.filter(({ args }) => args === undefined));
  expect(plain.filter((name, index) => plain.indexOf(name) !== index)).toEqual([]);
  const byArguments = namesOf(profile.syscalls.filter(({ args }) => args !== undefined));
  expect(byArguments.filter((name) => plain.includes(name))).toEqual([]);
});

test('allows nothing of what only administrators and attackers use', () => {
  const never =
    /^(?:io_uring_|kexec_|.*_module$|.*mount|umount|fs(?:open|config|pick)|open_tree|setns|unshare|clone3|socketcall|bpf|userfaultfd|perf_event_open|keyctl|add_key|request_key|open_by_handle_at|quotactl|acct|swap|reboot|set(?:host|domain)name|iopl|ioperm|chroot|pivot_root|syslog|fanotify_|modify_ldt|settimeofday|stime|clock_settime)/;
  expect(namesOf(allowed).filter((name) => never.test(name))).toEqual([]);
});

test('allows what the C libraries and MPI cannot do without', () => {
  const names = new Set(namesOf(allowed));
  const needed = ['clone', 'execve', 'futex', 'rseq', 'mbind', 'set_mempolicy', 'process_vm_readv', 'ptrace', 'socket'];
  expect(needed.filter((name) => !names.has(name))).toEqual([]);
});

test('has only fields that Docker Engine 20.10 knows', () => {
  const known = ['names', 'action', 'errnoRet', 'args', 'comment', 'includes', 'excludes'];
  expect(profile.syscalls.flatMap((rule) => Object.keys(rule)).filter((field) => !known.includes(field))).toEqual([]);
  expect(Object.keys(profile).sort()).toEqual(['archMap', 'comment', 'defaultAction', 'syscalls']);
});
