import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import type { Socket } from 'node:net';
import { writeReceived } from '../../system/frame-streams.ts';
import { FrameReader, encodeFrame } from '../../system/frames.ts';
import type { Frame } from '../../system/frames.ts';
import { frameType } from './relay-frames.ts';
import type { RelayRequest } from './relay-frames.ts';
import { parseSshArguments } from './parse-ssh-arguments.ts';

/** What `ssh` ends with on a failure of its own. */
const ownFailure = 255;

/**
 * The `ssh` and `rsh` of a job: hands the command to the agent of this container, which runs it over its own login.
 * Standard streams are passed through with back pressure; the exit status is the command's. When this process dies,
 * its socket closes and the remote process group is ended.
 */
export function main(relaySocket: string, args: readonly string[]): void {
  const invocation = parseSshArguments(args);
  if (invocation.kind === 'version') process.stderr.write('hpc-submit-dockerjob ssh\n');
  else if (invocation.kind === 'refused') fail(invocation.reason);
  else if (invocation.inBackground && process.env[backgroundMark] === undefined) runInBackground();
  else {
    for (const note of invocation.notes) process.stderr.write(`ssh: ${note}.\n`);
    runRemotely(relaySocket, invocation.request, invocation.withoutInput);
  }
}

/** In the environment of the process that is the background already. */
const backgroundMark = 'HPCDJ_SSH_IN_BACKGROUND';

/** Starts this very program once more, as it was called, beside its caller, who goes on at once. */
function runInBackground(): void {
  // Not by `execPath`: that is the loader by which the image's C library is left out.
  const [file = '', ...argv] = readFileSync('/proc/self/cmdline', 'utf8').split('\0').slice(0, -1);
  spawn(file, argv, {
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
    env: { ...process.env, [backgroundMark]: '1' },
  })
    .on('error', (error) => fail(`cannot go into the background: ${error.message}`))
    .unref();
}

function runRemotely(relaySocket: string, request: RelayRequest, withoutInput: boolean): void {
  const socket = createConnection(relaySocket);
  const frames = new FrameReader();
  let hasStatus = false;

  const take = ({ type, content }: Frame): void => {
    if (type === frameType.output) writeReceived(process.stdout, content, socket);
    else if (type === frameType.error) writeReceived(process.stderr, content, socket);
    else {
      hasStatus = true;
      if (type === frameType.exit) process.exitCode = content.readUInt8(0);
      else fail(content.toString());
      socket.destroy();
      process.stdin.destroy(); // or an input that nobody ends keeps this process alive
    }
  };
  socket.on('data', (bytes) => frames.read(bytes).forEach(take));
  socket.on('error', (error) => {
    if (!hasStatus) fail(`the agent of this container does not answer: ${error.message}`);
    hasStatus = true;
  });
  socket.on('close', () => {
    if (!hasStatus) fail('the agent of this container has ended');
    process.stdin.destroy();
  });
  socket.write(encodeFrame(frameType.open, JSON.stringify(request)));
  if (withoutInput) socket.write(encodeFrame(frameType.inputEnd));
  else passInput(socket);
}

function passInput(socket: Socket): void {
  const end = (): void => {
    if (socket.writable) socket.write(encodeFrame(frameType.inputEnd));
  };
  process.stdin.on('data', (bytes: Buffer) => {
    if (!socket.writable || socket.write(encodeFrame(frameType.input, bytes))) return;
    process.stdin.pause();
    socket.once('drain', () => process.stdin.resume());
  });
  // A closed or broken input is an empty one.
  process.stdin.on('end', end).on('error', end);
}

function fail(reason: string): void {
  process.stderr.write(`ssh: ${reason}.\n`);
  process.exitCode = ownFailure;
}
