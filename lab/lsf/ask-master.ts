/** Questions to the scheduler, as every command asks them. */
import type { Socket } from 'node:net';
import { CommandError } from './command-error.ts';
import { sealOrder } from './credentials.ts';
import type { Settings } from './settings.ts';
import { connectTo, readLines, readMessages } from './wire.ts';
import type { Message } from './wire.ts';

export interface Conversation {
  readonly socket: Socket;
  readonly messages: AsyncGenerator<Message, void, void>;
}

/** Sends a request to the scheduler and keeps the connection for what follows. */
export async function talkToMaster(settings: Settings, request: Message): Promise<Conversation> {
  const sealed = await sealOrder(settings, request);
  const socket = await connectTo('LSF stand-in', settings.master);
  socket.write(`${sealed}\n`);
  return { socket, messages: readMessages(readLines(socket)) };
}

/** Sends a request and returns its one answer. */
export async function askMaster(settings: Settings, request: Message): Promise<Message> {
  const { socket, messages } = await talkToMaster(settings, request);
  const answer = await messages.next();
  socket.destroy();
  if (answer.done === true) throw new CommandError('The LSF stand-in did not answer.');
  return answer.value;
}
