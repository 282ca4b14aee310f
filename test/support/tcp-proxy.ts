import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** A TCP proxy on the loopback address in front of a real server, to stage faults of the network. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Nothing passes any more, in either direction; connections stay open and new ones are taken but not served. */
  pause(): void;
  resume(): void;
  /** Resets every open connection; new ones are served. */
  cut(): void;
  /** How many connections have been made through it. */
  readonly connectionCount: number;
  close(): Promise<void>;
}

/** Starts a proxy to a port of 127.0.0.1; it listens on `address`, which must be a loopback address too. */
export async function startTcpProxy(targetPort: number, address = '127.0.0.1'): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let isPaused = false;
  let connectionCount = 0;
  const server = createServer((near) => {
    connectionCount++;
    const far = connect(targetPort, '127.0.0.1');
    const pair = [near, far] as const;
    pairs.add(pair);
    for (const [from, to] of [pair, [far, near]] as const) {
      from.on('data', (chunk) => to.write(chunk));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        to.destroy();
        pairs.delete(pair);
      });
      if (isPaused) from.pause();
    }
  }).listen(0, address);
  await once(server, 'listening');

  const forAll = (act: (socket: Socket) => void): void => [...pairs].flat().forEach(act);
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    forAll((socket) => socket.destroy());
    server.close();
    await once(server, 'close');
  };
  return {
    port: (server.address() as AddressInfo).port,
    pause: () => {
      isPaused = true;
      forAll((socket) => socket.pause());
    },
    resume: () => {
      isPaused = false;
      forAll((socket) => socket.resume());
    },
    cut: () => forAll((socket) => socket.resetAndDestroy()),
    get connectionCount() {
      return connectionCount;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
