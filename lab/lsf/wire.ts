/** Messages between the stand-in's programs: JSON, one per line, over TCP. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { once } from 'node:events';
import { CommandError } from './command-error.ts';

const maxLineLength = 16_777_216;
const connectTimeoutMs = 10_000;
// A host that lost its power answers nothing: the kernel notices within some 20 s.
const keepAliveMs = 10_000;

/** Any message; `type` says which, and the reader checks the fields it needs. */
export interface Message {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Sends one message; a connection that is gone swallows it. */
export function send(socket: Socket, message: Message): boolean {
  return !socket.destroyed && socket.writable && socket.write(`${JSON.stringify(message)}\n`);
}

/** The lines of a connection until it ends, however it ends. */
export async function* readLines(socket: Socket): AsyncGenerator<string, void, void> {
  let rest = '';
  socket.setEncoding('utf8');
  try {
    for await (const chunk of socket as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > maxLineLength) throw new Error('A message is too long.');
      yield* lines;
    }
  } catch {
    // A connection that broke has ended.
  }
}

/** The messages of a connection; what is no message ends it. */
export async function* readMessages(lines: AsyncGenerator<string, void, void>): AsyncGenerator<Message, void, void> {
  for await (const line of lines) {
    const message = parseMessage(line);
    if (message === undefined) return;
    yield message;
  }
}

/** The message of a line, or undefined. */
export function parseMessage(line: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const isMessage = typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
    return isMessage ? (value as Message) : undefined;
  } catch {
    return undefined;
  }
}

/** A connection to a daemon of the stand-in; fails when there is none in time. */
export async function connectTo(
  what: string,
  place: { readonly address: string; readonly port: number },
): Promise<Socket> {
  const socket = connect({
    host: place.address,
    port: place.port,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveMs,
  });
  socket.setNoDelay(true);
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(connectTimeoutMs) });
  } catch {
    socket.destroy();
    throw new CommandError(`${what} is down. Please wait ...`);
  }
  // Errors show as the end of the lines.
  socket.on('error', () => undefined);
  return socket;
}

/** A field that has to be text. */
export function textOf(message: Message, field: string): string {
  const value = message[field];
  return typeof value === 'string' ? value : '';
}

/** A field that has to be a number. */
export function numberOf(message: Message, field: string): number {
  const value = message[field];
  return typeof value === 'number' ? value : 0;
}
