import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface SlowDocker extends AsyncDisposable {
  readonly socketPath: string;
}

/** A door to a Docker Engine behind which every look at a container comes late: it then has had time to end. */
export async function slowInspections(engineSocket: string, socketPath: string, delayMs: number): Promise<SlowDocker> {
  const server = createServer({ maxHeaderSize: 1024 ** 2 }, (incoming, outgoing) => {
    const { url = '', method, headers } = incoming;
    const forward = async (): Promise<void> => {
      if (/\/containers\/[0-9a-f]+\/json/.test(url)) await sleep(delayMs);
      const onward = request({ socketPath: engineSocket, path: url, method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      onward.on('error', () => outgoing.destroy());
      incoming.pipe(onward);
    };
    void forward();
  });
  await once(server.listen(socketPath), 'listening');
  return {
    socketPath,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
