import { chmod, chown, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { createServer } from 'node:net';
import type { AgentMessage, HelperMessage } from '../../contract/agent-protocol.ts';
import { agentMessageSchema, maxLineBytes } from '../../contract/agent-protocol.ts';
import { LineSplitter } from '../../system/lines.ts';
import { JobError } from '../../values/errors.ts';
import { findJsonAs } from '../../values/parse-json-as.ts';

/** The one connection to a node's agent. */
export interface AgentLink {
  /** Next message; undefined when the agent's side has closed. Fails with `NODE_LOST` on a line that is no message. */
  receive(): Promise<AgentMessage | undefined>;
  /** Sends; a closed link swallows it (its end is noticed by `receive`). */
  send(message: HelperMessage): void;
  close(): void;
}

export interface AgentServer {
  /** The first connection; no second one is ever accepted. */
  readonly link: Promise<AgentLink>;
  close(): Promise<void>;
}

/** Listens for this node's agent on a socket that only the container's user can open, and only from within it. */
export async function serveAgent(socketPath: string, uid: number): Promise<AgentServer> {
  await rm(socketPath, { force: true });
  const accepted = Promise.withResolvers<AgentLink>();
  accepted.promise.catch(() => undefined);
  const server = createServer((socket) => {
    // One connection, made before any code of the user has run: later ones come from that code.
    server.close();
    accepted.resolve(linkOver(socket));
  });
  server.maxConnections = 1;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
  await chmod(socketPath, 0o600);
  await chown(socketPath, uid, 0);
  return {
    link: accepted.promise,
    close: async () => {
      accepted.reject(new JobError({ code: 'NODE_LOST', message: 'The agent never called.' }));
      const link = await accepted.promise.catch(() => undefined);
      link?.close();
      if (server.listening) server.close();
    },
  };
}

/** Messages of an agent that nobody has taken yet. */
const mostWaiting = 1000;

function linkOver(socket: Socket): AgentLink {
  const queue: (AgentMessage | Error)[] = [];
  let wake = Promise.withResolvers<undefined>();
  let ended = false;
  const hasEnded = (): boolean => ended;
  const lines = new LineSplitter({ mostBytes: maxLineBytes });
  const push = (item: AgentMessage | Error): void => {
    queue.push(item);
    wake.resolve(undefined);
  };
  const end = (): void => {
    ended = true;
    wake.resolve(undefined);
  };
  socket.on('data', (bytes: Buffer) => {
    try {
      if (queue.length > mostWaiting) throw hostileAgent();
      for (const line of lines.take(bytes)) push(parseMessage(line.toString()));
    } catch {
      push(hostileAgent());
      socket.destroy();
    }
  });
  socket.on('close', end);
  socket.on('error', end);
  return {
    receive: async () => {
      for (;;) {
        const next = queue.shift();
        if (next instanceof Error) throw next;
        if (next !== undefined) return next;
        if (hasEnded()) return undefined;
        await wake.promise;
        wake = Promise.withResolvers();
      }
    },
    send: (message) => {
      if (!socket.destroyed) socket.write(`${JSON.stringify(message)}\n`);
    },
    close: () => socket.destroy(),
  };
}

function parseMessage(line: string): AgentMessage | Error {
  return findJsonAs(agentMessageSchema, line) ?? hostileAgent();
}

function hostileAgent(): JobError {
  return new JobError({
    code: 'NODE_LOST',
    message: 'The agent in the container sent something that is not a valid message.',
    hint: 'The command must leave /.hpcdj alone.',
  });
}
