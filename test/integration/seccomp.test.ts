/** What our seccomp profile closes and leaves open, by system calls that a user makes in a container. */
import { arch } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { chmod, copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectEngine } from '../../src/docker/connect-engine.ts';
import type { ContainerEngine, ContainerSpec } from '../../src/ports/container-engine.ts';
import { shellContainer } from '../support/container-spec.ts';
import { busyboxImage, startDockerEngine } from '../support/docker-engine.ts';
import type { TestEngine } from '../support/docker-engine.ts';
import { closedCalls, closedSockets, openCalls, openSockets, socketNumber } from '../support/system-calls.ts';
import type { SystemCall } from '../support/system-calls.ts';

const operationNotPermitted = 1;
const notImplemented = 38;

let lab: TestEngine;
let engine: ContainerEngine;
let imageId: string;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-seccomp-'));
  await chmod(directory, 0o755);
  await copyFile(path.join(import.meta.dirname, '../support/probe-system-calls.pl'), path.join(directory, 'probe.pl'));
  // As the least careful site has it: ours must count all the same.
  const everything = path.join(directory, 'everything.json');
  await writeFile(everything, '{"defaultAction":"SCMP_ACT_ALLOW"}');
  lab = await startDockerEngine({ settings: { 'seccomp-profile': everything } });
  engine = connectEngine({ socketPath: lab.socketPath });
  imageId = (await engine.findImage(busyboxImage))?.id ?? '';
});

afterAll(async () => {
  await lab.stop();
  await rm(directory, { recursive: true, force: true });
});

/** The image has no Perl: the host's own is brought in, with its libraries. */
async function runWithPerl(script: string, changes: Partial<ContainerSpec> = {}): Promise<string> {
  const mounts = [
    ['/usr', '/usr'],
    ['/usr/lib', '/lib'],
    ...(arch() === 'x64' ? [['/usr/lib64', '/lib64'] as const] : []),
    [directory, '/probe'],
  ].map(([source = '', target = '']) => ({ source, target, readOnly: true }));
  const container = await engine.createContainer(shellContainer(imageId, `sleep 1; ${script}`, { mounts, ...changes }));
  try {
    const output = await container.attachOutput();
    await container.start();
    const [stdout, stderr] = await Promise.all([text(output.stdout), text(output.stderr)]);
    expect(stderr).toBe('');
    return stdout;
  } finally {
    await container.remove();
  }
}

/** The errno of each call, by its name. */
async function probe(calls: readonly SystemCall[]): Promise<ReadonlyMap<string, number>> {
  await writeFile(
    path.join(directory, 'calls'),
    calls.map(({ name, number, words }) => `${name} ${number} ${words.join(' ')}\n`).join(''),
  );
  const answers = (await runWithPerl('/usr/bin/perl /probe/probe.pl </probe/calls')).trim().split('\n');
  expect(answers).toHaveLength(calls.length);
  return new Map(answers.map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]));
}

describe('a container', () => {
  test('is refused the system calls that only matter to a breakout', async () => {
    const seen = await probe(closedCalls);
    for (const { name } of closedCalls) {
      const refusals = name === 'clone3' ? [notImplemented] : [operationNotPermitted, notImplemented];
      expect([name, refusals.includes(seen.get(name) ?? 0)]).toEqual([name, true]);
    }
  });

  test('gets sockets of the kinds that jobs use, and no others', async () => {
    const toCall = ({ name, words }: { name: string; words: readonly number[] }): SystemCall => ({
      name,
      number: socketNumber,
      words: words.map(String),
    });
    const refused = await probe(closedSockets.map(toCall));
    expect([...refused].filter(([, errno]) => errno !== operationNotPermitted)).toEqual([]);
    const given = await probe(openSockets.map(toCall));
    // A kernel need not have every family: it then says so itself (EAFNOSUPPORT, EPROTONOSUPPORT).
    expect([...given].filter(([, errno]) => ![0, 93, 97].includes(errno))).toEqual([]);
    expect(['AF_INET-TCP', 'AF_INET-UDP', 'AF_UNIX', 'NETLINK_ROUTE'].map((name) => given.get(name))).toEqual([
      0, 0, 0, 0,
    ]);
  });

  test('may place memory and look at its own processes', async () => {
    const seen = await probe(openCalls);
    expect([...seen].filter(([, errno]) => errno === operationNotPermitted)).toEqual([]);
    expect(seen.get('get_mempolicy')).toBe(seen.get('set_mempolicy'));
  });

  test('lets one process read the memory of another, as the ranks of a host do', async () => {
    const script = String.raw`
      my $secret = "one rank's data";
      my $address = unpack 'Q', pack 'p', $secret;
      pipe my $over, my $hold;
      my $owner = fork // die;
      if (!$owner) { close $hold; sysread $over, my $byte, 1; exit }
      my $buffer = "\0" x length $secret;
      my $local = pack 'PQ', $buffer, length $secret;
      my $remote = pack 'QQ', $address, length $secret;
      my $read = syscall ${process.arch === 'x64' ? 310 : 270}, $owner, $local, 1, $remote, 1, 0;
      print $read < 0 ? "refused: $!" : "read $read: $buffer", "\n";
      close $hold; waitpid $owner, 0;`;
    await writeFile(path.join(directory, 'read.pl'), script);
    expect(await runWithPerl('/usr/bin/perl /probe/read.pl')).toBe("read 15: one rank's data\n");
  });

  test('runs threads and processes of programs that try clone3 first', async () => {
    expect(await runWithPerl(`/usr/bin/perl -e 'print "child\n" if fork == 0; wait'; echo $?`)).toBe('child\n0\n');
  });

  test.runIf(arch() === 'x64')(
    'refuses 32-bit programs the call behind which sockets of any kind could hide',
    async () => {
      await writeFile(path.join(directory, 'i386'), i386Socket(), { mode: 0o755 });
      const status = await runWithPerl('/probe/i386; echo $?');
      // 38 = ENOSYS; 126: a kernel that runs no 32-bit programs at all.
      expect(['38\n', '126\n']).toContain(status);
    },
  );

  test('may write a core file when it asks for one, and writes none by itself', async () => {
    expect(await runWithPerl('ulimit -Sc; ulimit -Hc; ulimit -c unlimited; ulimit -c')).toBe(
      '0\nunlimited\nunlimited\n',
    );
    const limited = shellContainer(imageId, '').ulimits;
    expect(await runWithPerl('ulimit -Sc; ulimit -Hc', { ulimits: { ...limited, core: 1024 * 1024 } })).toBe(
      '0\n2048\n',
    );
  });
});

/** A program of 32 bits: `socketcall(SYS_SOCKET, {AF_VSOCK, SOCK_STREAM, 0})`, which ends with the errno as its status. */
function i386Socket(): Buffer {
  const base = 0x08048000;
  const code = Buffer.from(
    [
      '6a00', // push 0
      '6a01', // push 1: SOCK_STREAM
      '6a28', // push 40: AF_VSOCK
      'b866000000', // mov eax, 102: socketcall
      'bb01000000', // mov ebx, 1: SYS_SOCKET
      '89e1', // mov ecx, esp
      'cd80', // int 0x80
      'f7d8', // neg eax
      '89c3', // mov ebx, eax
      'b801000000', // mov eax, 1: exit
      'cd80', // int 0x80
    ].join(''),
    'hex',
  );
  const header = Buffer.alloc(84);
  Buffer.from('7f454c46010101', 'hex').copy(header);
  header.writeUInt16LE(2, 16); // executable
  header.writeUInt16LE(3, 18); // i386
  header.writeUInt32LE(1, 20);
  header.writeUInt32LE(base + header.length, 24); // entry
  header.writeUInt32LE(52, 28); // program header
  header.writeUInt16LE(52, 40);
  header.writeUInt16LE(32, 42);
  header.writeUInt16LE(1, 44);
  header.writeUInt32LE(1, 52); // load
  header.writeUInt32LE(base, 60);
  header.writeUInt32LE(base, 64);
  header.writeUInt32LE(header.length + code.length, 68);
  header.writeUInt32LE(header.length + code.length, 72);
  header.writeUInt32LE(5, 76); // read, execute
  header.writeUInt32LE(4096, 80);
  return Buffer.concat([header, code]);
}
