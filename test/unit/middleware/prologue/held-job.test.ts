import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  claimHolderDirectory,
  findHolderSocket,
  holderDirectory,
  holderSocket,
  maxOrderBytes,
} from '../../../../src/middleware/lsf/prologue/held-job.ts';
import type { RunOrder } from '../../../../src/middleware/lsf/prologue/held-job.ts';
import { dismissHeldJob, joinHeldJob } from '../../../../src/middleware/lsf/prologue/join-held-job.ts';
import { serveStarter } from '../../../../src/middleware/lsf/prologue/serve-starter.ts';
import type { StarterServer } from '../../../../src/middleware/lsf/prologue/serve-starter.ts';
import type { JobEnd } from '../../../../src/contract/helper-events.ts';
import { requireJobKey } from '../../../../src/contract/job-key.ts';
import type { LateCommand } from '../../../../src/contract/job-request.ts';

const uid = process.getuid?.() ?? 0;
const job = requireJobKey('772');
const heldFor = { image: 'hpc/app:1', workdir: '/scratch' };
const order: RunOrder = { wanted: heldFor, command: { kind: 'argv', argv: ['true'] }, environment: { A: '1' } };
const done: JobEnd = { by: 'command', exitStatus: 7 };

let parent: string;
let socket: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'hpcdj-held-'));
  await claimHolderDirectory(holderDirectory(uid, parent), uid);
  socket = holderSocket(holderDirectory(uid, parent), job);
});
afterEach(async () => await rm(parent, { recursive: true, force: true }));

/** A holder whose job ends as soon as it is cancelled; `heard` is all that it was told. */
async function hold(): Promise<{ server: StarterServer; heard: string[]; cancelled: Promise<undefined> }> {
  const server = await serveStarter(socket, heldFor);
  const heard: string[] = [];
  const cancelled = Promise.withResolvers<undefined>();
  server.listen({
    cancel: (signal) => {
      heard.push(`cancel ${signal}`);
      cancelled.resolve(undefined);
    },
    forward: (signal) => void heard.push(`forward ${signal}`),
    want: (state) => void heard.push(`want ${state}`),
  });
  return { server, heard, cancelled: cancelled.promise };
}

function sink(): { output: { stdout: PassThrough; stderr: PassThrough }; read: () => string[] } {
  const output = { stdout: new PassThrough(), stderr: new PassThrough() };
  return { output, read: () => [output.stdout, output.stderr].map((stream) => String(stream.read() ?? '')) };
}

describe('a held job', () => {
  it('gets its command from the script, which gets its output apart and then its end', async () => {
    const { server } = await hold();
    const given = Promise.withResolvers<LateCommand>();
    server.accept(given.resolve);
    const { output, read } = sink();
    const joined = joinHeldJob(socket, order, output, 5000);
    expect(await given.promise).toEqual({ command: order.command, environment: order.environment });
    server.output.stdout.write('out\n');
    server.output.stderr.write('err\n');
    const finished = server.finish(done);
    expect(await joined).toEqual(done);
    await finished;
    expect(read()).toEqual(['out\n', 'err\n']);
    expect(await readdir(parent)).toEqual([]);
  });

  it('delivers much to a slow reader before the end, and holds no more of it than it must', async () => {
    const { server } = await hold();
    server.accept(() => undefined);
    const { output } = sink();
    const joined = joinHeldJob(socket, order, output, 5000);
    const piece = Buffer.alloc(64 * 1024, 'x');
    let taken = 0;
    while (server.output.stdout.write(piece) || (await Promise.race([drained(server), pause(500, false)]))) taken += 1;
    expect(taken).toBeLessThan(200);
    const finished = server.finish(done);
    let bytes = 0;
    output.stdout.on('data', (data: Buffer) => (bytes += data.length));
    expect(await joined).toEqual(done);
    await finished;
    expect(bytes).toBe((taken + 1) * piece.length);
  });

  it('goes on to its end when the reader of its output is gone, or its disk full', async () => {
    const { server } = await hold();
    server.accept(() => undefined);
    const stdout = new Writable({
      write: (_bytes, _encoding, done) => void setTimeout(() => done(new Error('full')), 5),
    });
    stdout.on('error', () => undefined);
    const joined = joinHeldJob(socket, order, { stdout, stderr: new PassThrough() }, 5000);
    for (let piece = 0; piece < 100; piece += 1) server.output.stdout.write(Buffer.alloc(64 * 1024));
    await pause(100);
    const finished = server.finish(done);
    expect(await joined).toEqual(done);
    await finished;
  });

  it('waits for a slow reader of one stream while the other is read, and says nothing of its own to that', async () => {
    const warnings: Error[] = [];
    const warn = (warning: Error): void => void warnings.push(warning);
    process.on('warning', warn);
    const { server } = await hold();
    server.accept(() => undefined);
    const output = { stdout: new PassThrough({ highWaterMark: 1 }), stderr: new PassThrough({ highWaterMark: 1 }) };
    const joined = joinHeldJob(socket, order, output, 5000);
    await pause(100);
    output.stderr.resume();
    let hasRoom = true;
    for (let piece = 0; piece < 2000; piece += 1) {
      hasRoom = server.output.stdout.write(Buffer.alloc(1000)) && hasRoom;
      server.output.stderr.write('x');
      if (piece % 50 === 0) await pause(1);
    }
    await pause(100);
    expect(hasRoom).toBe(false);
    expect(output.stdout.writableLength).toBeLessThan(1_000_000);
    output.stdout.resume();
    const finished = server.finish(done);
    expect(await joined).toEqual(done);
    await finished;
    process.off('warning', warn);
    expect(warnings).toEqual([]);
  });

  it('hears what the script hears', async () => {
    const { server, heard, cancelled } = await hold();
    server.accept(() => undefined);
    const { output } = sink();
    const joined = joinHeldJob(socket, order, output, 5000);
    await pause(100);
    for (const signal of ['SIGUSR2', 'SIGTSTP', 'SIGCONT', 'SIGINT'] as const) {
      process.emit(signal, signal);
      await pause(20);
    }
    await cancelled;
    expect(heard).toEqual(['forward SIGUSR2', 'want suspended', 'want running', 'cancel SIGINT']);
    const finished = server.finish(done);
    expect(await joined).toEqual(done);
    await finished;
  });

  it('is ended when its script dies', async () => {
    const { server, heard, cancelled } = await hold();
    server.accept(() => undefined);
    const script = createConnection(socket);
    const header = Buffer.alloc(5);
    const content = Buffer.from(JSON.stringify(order));
    header.writeUInt8(1);
    header.writeUInt32BE(content.length, 1);
    script.write(Buffer.concat([header, content]));
    await pause(100);
    script.destroy();
    await cancelled;
    expect(heard).toEqual(['cancel SIGTERM']);
    await server.finish(done);
  });

  it.each<[string, Partial<RunOrder>]>([
    [
      'what is too long as the helper would get it',
      { command: { kind: 'argv', argv: Array<string>(8).fill('\u2028'.repeat(maxOrderBytes / 32)) } },
    ],
    ['another image', { wanted: { ...heldFor, image: 'hpc/other:1' } }],
    ['another directory', { wanted: { ...heldFor, workdir: '/scratch/other' } }],
    ['an application', { wanted: { workdir: '/scratch', application: 'openfoam:2.3.0' } }],
    ['what the helper would not take', { command: { kind: 'argv', argv: [] } }],
    [
      'a command that is too long',
      { command: { kind: 'argv', argv: Array<string>(9).fill('x'.repeat(maxOrderBytes / 8)) } },
    ],
  ])('gives way to a script that wants %s, and only then', async (_, change) => {
    const { server, cancelled } = await hold();
    const given: LateCommand[] = [];
    server.accept((late) => void given.push(late));
    let isOver = false;
    const { output } = sink();
    const joined = joinHeldJob(socket, { ...order, ...change }, output, 5000).finally(() => (isOver = true));
    await cancelled;
    await pause(50);
    expect(isOver).toBe(false);
    await server.finish(done);
    expect(await joined).toBeUndefined();
    expect(given).toEqual([]);
  });

  it('gives way before it is ready, and when it is told of that early', async () => {
    const server = await serveStarter(socket, heldFor);
    const { output } = sink();
    const joined = joinHeldJob(socket, order, output, 5000);
    await pause(50);
    const cancelled = Promise.withResolvers<NodeJS.Signals>();
    server.listen({ cancel: cancelled.resolve, forward: () => undefined });
    expect(await cancelled.promise).toBe('SIGTERM');
    await server.finish(done);
    expect(await joined).toBeUndefined();
  });

  it.each<[string, (server: StarterServer) => void]>([
    ['was ended meanwhile', (server) => server.close()],
    ['has waited for too long, as its helper has found at that moment', () => undefined],
  ])('gives way to a script that comes when the job %s, once it is taken away', async (_, end) => {
    const { server } = await hold();
    server.accept(() => undefined);
    end(server);
    let isOver = false;
    const { output } = sink();
    const joined = joinHeldJob(socket, order, output, 5000).finally(() => (isOver = true));
    await pause(100);
    expect(isOver).toBe(false);
    await server.finish({ by: 'middleware', code: 'SCRIPT_LATE', message: 'Late.', exitStatus: 75 });
    expect(await joined).toBeUndefined();
  });

  it('has nobody wait for a reader when it is over without a script', async () => {
    const { server } = await hold();
    const { stderr } = server.output;
    while (stderr.write(Buffer.alloc(64 * 1024)));
    const drained = once(stderr, 'drain');
    server.close();
    await drained;
    await server.finish(done);
  });

  it('that has its script is not dismissed by another', async () => {
    const { server, heard } = await hold();
    server.accept(() => undefined);
    const { output } = sink();
    const joined = joinHeldJob(socket, order, output, 5000);
    await pause(50);
    await expect(dismissHeldJob(socket, 5000)).rejects.toMatchObject({ code: 'HELPER_LOST' });
    expect(heard).toEqual([]);
    const finished = server.finish(done);
    expect(await joined).toEqual(done);
    await finished;
  });
});

describe('a script', () => {
  it('is told when its holder dies, or says nothing in time', async () => {
    const connections = new Set<Socket>();
    const mute = createServer((connection) => void connections.add(connection)).listen(socket);
    const { output } = sink();
    await expect(joinHeldJob(socket, order, output, 100)).rejects.toMatchObject({ code: 'HELPER_LOST' });
    const joined = joinHeldJob(socket, order, output, 5000).catch((error: unknown) => error);
    await pause(50);
    for (const connection of connections) connection.destroy();
    expect(await joined).toMatchObject({
      code: 'HELPER_LOST',
      message: expect.stringContaining('has ended') as string,
    });
    mute.close();
  });

  it('finds nothing where a holder was killed, and takes its socket away', async () => {
    await holdByKilledProcess(socket);
    expect(await findHolderSocket(uid, job, parent)).toBe(socket);
    const { output } = sink();
    expect(await joinHeldJob(socket, order, output, 5000)).toBeUndefined();
    expect(await findHolderSocket(uid, job, parent)).toBeUndefined();
    const server = await serveStarter(socket, heldFor);
    await server.finish(done);
  });

  it('looks at no socket that another user could have put there', async () => {
    const directory = holderDirectory(uid, parent);
    expect(await findHolderSocket(uid + 1, job, parent)).toBeUndefined();
    await rm(directory, { recursive: true });
    await mkdir(join(parent, 'elsewhere'), { mode: 0o700 });
    await symlink(join(parent, 'elsewhere'), directory);
    const server = createServer().listen(join(parent, 'elsewhere', '772.sock'));
    expect(await findHolderSocket(uid, job, parent)).toBeUndefined();
    await expect(claimHolderDirectory(directory, uid)).rejects.toMatchObject({ code: 'NOT_PERMITTED' });
    server.close();
  });

  it.each([0o770, 0o707, 0o750])('trusts no directory of mode %o', async (mode) => {
    await rm(holderDirectory(uid, parent), { recursive: true });
    await mkdir(holderDirectory(uid, parent));
    await chmod(holderDirectory(uid, parent), mode);
    await expect(claimHolderDirectory(holderDirectory(uid, parent), uid)).rejects.toMatchObject({
      code: 'NOT_PERMITTED',
    });
  });
});

function drained({ output }: StarterServer): Promise<true> {
  return new Promise((resolve) => output.stdout.once('drain', () => resolve(true)));
}

/** Leaves a socket at which nobody listens. */
async function holdByKilledProcess(path: string): Promise<void> {
  const text = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await new Promise((resolve) => execFile(process.execPath, ['-e', text], resolve));
}
