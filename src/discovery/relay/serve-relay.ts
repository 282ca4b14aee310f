import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import type { RemoteCommand, SshConnection } from '../../ssh/connect-ssh.ts';
import type { Peer } from '../../contract/agent-protocol.ts';
import { sendStream } from '../../system/frame-streams.ts';
import { FrameReader, encodeFrame } from '../../system/frames.ts';
import type { Frame } from '../../system/frames.ts';
import { frameType } from './relay-frames.ts';
import type { FrameType, RelayRequest } from './relay-frames.ts';

export interface RelayLinks {
  findPeer(host: string): Peer | undefined;
  describeNames(): string;
  connect(peer: Peer): Promise<SshConnection>;
}

/**
 * Serves the `ssh` of this container's processes on a Unix socket: one connection, one remote command.
 * Who may connect is decided by the socket's directory, which is the user's alone.
 */
export async function serveRelay(socketPath: string, userName: string, links: RelayLinks): Promise<Server> {
  const server = createServer((socket) => serveClient(socket, userName, links));
  server.listen(socketPath);
  await once(server, 'listening');
  server.on('error', () => undefined); // a failing accept hits one client
  return server;
}

function serveClient(socket: Socket, userName: string, links: RelayLinks): void {
  const frames = new FrameReader();
  let command: Promise<RemoteCommand> | undefined;
  const take = (frame: Frame): void => {
    if (frame.type === frameType.open && command === undefined) {
      command = start(socket, frame, userName, links);
      // Its input waits where it is: a login that has to be made anew takes seconds, and memory is finite.
      socket.pause();
      command.then(
        () => socket.resume(),
        () => socket.resume(), // `start` has told the client
      );
    } else if (command !== undefined) passOn(command, frame, socket);
  };
  socket.on('data', (bytes) => {
    try {
      frames.read(bytes).forEach(take);
    } catch {
      socket.destroy(); // not our client's language
    }
  });
  socket.on('error', () => socket.destroy());
  // Its process has ended without waiting for the command: the other side ends the command's process group.
  socket.on('end', () => socket.destroy());
  socket.on('close', () => void command?.then(({ streams }) => streams.close()).catch(() => undefined));
}

function passOn(command: Promise<RemoteCommand>, frame: Frame, socket: Socket): void {
  command.then(
    ({ streams }) => {
      if (frame.type === frameType.inputEnd) streams.end();
      else if (
        frame.type === frameType.input &&
        streams.writable &&
        !streams.write(frame.content) &&
        !socket.isPaused()
      ) {
        socket.pause();
        streams.once('drain', () => socket.resume());
      }
    },
    () => undefined,
  );
}

async function start(socket: Socket, frame: Frame, userName: string, links: RelayLinks): Promise<RemoteCommand> {
  try {
    const request = JSON.parse(frame.content.toString()) as RelayRequest;
    const command = await runOnPeer(request, userName, links);
    returnOutput(command, socket);
    if (socket.destroyed) command.streams.close();
    return command;
  } catch (error) {
    finish(socket, frameType.failed, error instanceof Error ? error.message.replace(/\.$/, '') : String(error));
    throw error;
  }
}

async function runOnPeer(request: RelayRequest, userName: string, links: RelayLinks): Promise<RemoteCommand> {
  const peer = links.findPeer(request.host);
  if (peer === undefined)
    throw new Error(`"${request.host}" is no host of this job: these are ${links.describeNames()}`);
  if (request.user !== undefined && request.user !== userName) {
    throw new Error(`"${request.user}" cannot log in to ${request.host}: the only user inside a job is ${userName}`);
  }
  try {
    return await (await links.connect(peer)).run(request.command);
  } catch (error) {
    throw new Error(`${peer.hostname} (${peer.ip}): ${(error as Error).message}`, { cause: error });
  }
}

function returnOutput(command: RemoteCommand, socket: Socket): void {
  const { streams } = command;
  sendStream(streams, frameType.output, socket);
  sendStream(streams.stderr, frameType.error, socket);
  streams.on('error', () => streams.close());
  streams.on('close', () => {
    const { exitStatus } = command;
    if (exitStatus === undefined)
      finish(socket, frameType.failed, 'the connection was lost while the command was running');
    else finish(socket, frameType.exit, Uint8Array.of(exitStatus));
  });
}

function finish(socket: Socket, type: FrameType, content: Uint8Array | string): void {
  if (!socket.destroyed) socket.end(encodeFrame(type, content));
}
