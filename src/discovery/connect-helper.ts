import { once } from 'node:events';
import { createConnection } from 'node:net';
import type { Socket } from 'node:net';
import type { AgentMessage, HelperMessage, PeerKeys } from '../contract/agent-protocol.ts';
import { readLines } from '../system/lines.ts';
import { JobError } from '../values/errors.ts';
import { unlessAborted, withDeadline } from '../system/deadline.ts';

type MessageOf<T extends HelperMessage['type']> = Extract<HelperMessage, { type: T }>;
type Step = 'welcome' | 'roster' | 'start';
export type CommandSignal = MessageOf<'signal'>['signal'];

/** Why the agent's part is over: the helper said so, the helper is gone, or this process was told to end. */
export class PartIsOver extends Error {
  readonly reason: 'finish' | 'helper-lost' | 'terminated';

  constructor(reason: PartIsOver['reason']) {
    super(reason);
    this.reason = reason;
  }
}

// The helper is root on our host: this bounds memory, not malice. A roster of ten thousand nodes needs 4 MB.
const maxHelperLineBytes = 32 * 1024 * 1024;
const connectTimeoutMs = 10_000;

/** The agent's one line to the world outside its container. */
export interface HelperLink {
  /** Aborted with `PartIsOver`, once. */
  readonly over: AbortSignal;
  send(message: AgentMessage): void;
  /** The message of this step; fails with `PartIsOver`, or with `NODE_LATE` after the deadline. */
  receive<T extends Step>(step: T, deadlineMs: number): Promise<MessageOf<T>>;
  onSignal(handler: (signal: CommandSignal) => void): void;
  /** For the answers to `ask`. */
  onKeys(handler: (peers: readonly PeerKeys[]) => void): void;
  /** Resolves when it is over. */
  whenOver(): Promise<void>;
  /** Says that the part is over for a reason of this side. */
  declareOver(reason: PartIsOver['reason']): void;
  /** Sends what is still unsent, then closes. */
  close(): Promise<void>;
}

/** Connects to the helper's socket; fails with `BUG` when nobody listens there. */
export async function connectHelper(socketPath: string): Promise<HelperLink> {
  const socket = createConnection(socketPath);
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(connectTimeoutMs) });
  } catch (error) {
    socket.destroy();
    throw new JobError({
      code: 'BUG',
      message: `The agent cannot reach the helper of its host at ${socketPath}: ${(error as Error).message}.`,
      cause: error,
    });
  }
  return new SocketHelperLink(socket);
}

class SocketHelperLink implements HelperLink {
  private readonly socket: Socket;
  private readonly overController = new AbortController();
  private readonly steps = {
    welcome: Promise.withResolvers<MessageOf<'welcome'>>(),
    roster: Promise.withResolvers<MessageOf<'roster'>>(),
    start: Promise.withResolvers<MessageOf<'start'>>(),
  };
  private readonly earlySignals: CommandSignal[] = [];
  private keysHandler: ((peers: readonly PeerKeys[]) => void) | undefined;
  private signalHandler: ((signal: CommandSignal) => void) | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    readLines(socket, maxHelperLineBytes, (line) => this.take(line));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.declareOver('helper-lost'));
    socket.on('end', () => this.declareOver('helper-lost'));
  }

  get over(): AbortSignal {
    return this.overController.signal;
  }

  send(message: AgentMessage): void {
    if (this.socket.writable) this.socket.write(`${JSON.stringify(message)}\n`);
  }

  async receive<T extends Step>(step: T, deadlineMs: number): Promise<MessageOf<T>> {
    this.over.throwIfAborted();
    const arrival = this.steps[step].promise as Promise<MessageOf<T>>;
    const message = await withDeadline(
      deadlineMs,
      async (late) => await unlessAborted(AbortSignal.any([this.over, late]), arrival),
      () => new JobError({ code: 'NODE_LATE', message: `The helper sent no "${step}" within ${deadlineMs / 1000} s.` }),
    );
    if (message === undefined) throw this.over.reason as Error;
    return message;
  }

  onSignal(handler: (signal: CommandSignal) => void): void {
    this.signalHandler = handler;
    this.earlySignals.splice(0).forEach(handler);
  }

  onKeys(handler: (peers: readonly PeerKeys[]) => void): void {
    this.keysHandler = handler;
  }

  declareOver(reason: PartIsOver['reason']): void {
    if (!this.over.aborted) this.overController.abort(new PartIsOver(reason));
  }

  whenOver(): Promise<void> {
    if (this.over.aborted) return Promise.resolve();
    return new Promise((resolve) => this.over.addEventListener('abort', () => resolve(), { once: true }));
  }

  async close(): Promise<void> {
    if (this.socket.destroyed) return;
    const closed = once(this.socket, 'close', { signal: AbortSignal.timeout(1000) });
    this.socket.end();
    await closed.catch(() => this.socket.destroy());
  }

  private take(line: string): void {
    // Taken as it is: the helper is root on our host, and a check would delay every start.
    const message = JSON.parse(line) as HelperMessage;
    switch (message.type) {
      case 'welcome':
        this.steps.welcome.resolve(message);
        return;
      case 'roster':
        this.steps.roster.resolve(message);
        return;
      case 'start':
        this.steps.start.resolve(message);
        return;
      case 'keys':
        this.keysHandler?.(message.peers);
        return;
      case 'signal':
        if (this.signalHandler === undefined) this.earlySignals.push(message.signal);
        else this.signalHandler(message.signal);
        return;
      case 'finish':
        this.declareOver('finish');
    }
  }
}
