import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { connect, createServer as createSocketServer } from 'node:net';
import type { Server, Socket } from 'node:net';

export interface LossyDocker extends AsyncDisposable {
  readonly socketPath: string;
  /** Paths of the calls whose answers were lost. */
  readonly lost: readonly string[];
}

/** A door that can be closed: nobody listens until it is opened again, as while an engine restarts. */
export interface EngineDoor extends AsyncDisposable {
  readonly socketPath: string;
  close(): Promise<void>;
  open(): Promise<void>;
}

/**
 * A door to a Docker Engine that carries the first call of each of these kinds out, and then breaks the connection
 * instead of answering: as an engine does that is restarted just then.
 */
export async function loseAnswers(
  engineSocket: string,
  socketPath: string,
  ...kinds: readonly RegExp[]
): Promise<LossyDocker> {
  const left = new Set(kinds);
  const lost: string[] = [];
  const server = createServer({ maxHeaderSize: 1024 ** 2 }, (incoming, outgoing) => {
    const { url = '', method = '', headers } = incoming;
    const kind = [...left].find((each) => each.test(`${method} ${url}`));
    if (kind !== undefined) left.delete(kind);
    const onward = request({ socketPath: engineSocket, path: url, method, headers }, (answer) => {
      if (kind === undefined) {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
        return;
      }
      lost.push(url.replace(/\?.*/, ''));
      answer.resume().on('end', () => incoming.socket.destroy());
    });
    onward.on('error', () => {
      // Not known to be carried out: the next try of this kind is the one whose answer is lost.
      if (kind !== undefined) left.add(kind);
      outgoing.destroy();
    });
    incoming.pipe(onward);
  });
  await once(server.listen(socketPath), 'listening');
  return {
    socketPath,
    lost,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export async function openDoor(engineSocket: string, socketPath: string): Promise<EngineDoor> {
  const sockets = new Set<Socket>();
  const open = async (): Promise<Server> => {
    const listener = createSocketServer((socket) => {
      const onward = connect(engineSocket);
      for (const each of [socket, onward]) {
        sockets.add(each);
        each.on('error', () => undefined);
        each.on('close', () => [socket, onward].forEach((end) => end.destroy()));
      }
      socket.pipe(onward);
      onward.pipe(socket);
    });
    await rm(socketPath, { force: true });
    await once(listener.listen(socketPath), 'listening');
    return listener;
  };
  let server: Server | undefined = await open();
  const close = async (): Promise<void> => {
    server?.close();
    server = undefined;
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    await rm(socketPath, { force: true });
  };
  return { socketPath, close, open: async () => void (server = await open()), [Symbol.asyncDispose]: close };
}
