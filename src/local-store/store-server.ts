import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { withDeadline } from '../system/deadline.ts';
import { readLines } from '../system/lines.ts';
import { JobError } from '../values/errors.ts';
import { findJsonAs } from '../values/parse-json-as.ts';
import type { Answer, Request } from './wire.ts';
import { answerSchema, maxLineBytes } from './wire.ts';

/** A request without the id, for each kind of request. */
export type Call = Request extends infer Each ? (Each extends Request ? Omit<Each, 'id'> : never) : never;

/** Who is told of what the server says unasked. */
export interface Listener {
  /** Something may have changed in the range of the watch that this request set up. */
  onHint(id: number): void;
  onLostLease(leaseId: string): void;
  /** The connection has gone, and its leases and watches with it. */
  onGone(): void;
}

/**
 * The helper that serves the store, over one connection: opened by the first call, and again by the first after it has gone.
 * Calls fail with `STORE_UNREACHABLE` when the server goes away or does not answer in time, or after `close`.
 */
export class StoreServer {
  readonly #socketPath: string;
  readonly #callTimeoutMs: number;
  readonly #listener: Listener;
  readonly #pending = new Map<number, PromiseWithResolvers<Answer>>();
  #socket: Socket | undefined;
  #isClosed = false;
  #lastId = 0;

  constructor(socketPath: string, callTimeoutMs: number, listener: Listener) {
    this.#socketPath = socketPath;
    this.#callTimeoutMs = callTimeoutMs;
    this.#listener = listener;
  }

  /** The id of the next request. */
  takeId(): number {
    return ++this.#lastId;
  }

  /** The server's answer; fails with the error that it tells. */
  async ask(call: Call, id = this.takeId()): Promise<Answer> {
    const socket = this.#connection();
    const answered = Promise.withResolvers<Answer>();
    this.#pending.set(id, answered);
    socket.write(`${JSON.stringify({ id, ...call })}\n`);
    try {
      const late = (): JobError => this.unreachable('no answer in time');
      const answer = await withDeadline(this.#callTimeoutMs, async () => await answered.promise, late);
      if ('error' in answer) throw JobError.fromWire(answer.error);
      return answer;
    } finally {
      this.#pending.delete(id);
    }
  }

  unreachable(cause?: unknown): JobError {
    return new JobError({
      code: 'STORE_UNREACHABLE',
      message: `Could not reach the job-local store at ${this.#socketPath}: ${reasonOf(cause)}.`,
      hint: 'The helper that opened the job keeps it; the job is over when that helper is gone.',
      cause,
    });
  }

  /** Ends the connection; the listener is not told. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const socket = this.#socket;
    if (socket === undefined) return;
    const gone = new Promise((resolve) => socket.once('close', resolve));
    socket.destroy();
    await gone;
  }

  #connection(): Socket {
    if (this.#isClosed) throw this.unreachable('it was closed here');
    this.#socket ??= this.#open();
    return this.#socket;
  }

  #open(): Socket {
    const socket = connect(this.#socketPath);
    let failure: unknown;
    readLines(socket, maxLineBytes, (line) => this.#take(socket, line));
    socket.on('error', (error) => (failure = error));
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#drop(this.unreachable(failure ?? 'it closed the connection'));
    });
    return socket;
  }

  #drop(error: JobError): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    if (!this.#isClosed) this.#listener.onGone();
  }

  #take(from: Socket, line: string): void {
    const answer = findJsonAs(answerSchema, line);
    if (answer === undefined) {
      from.destroy(new Error('it sent something that is no answer'));
    } else if ('hint' in answer) {
      this.#listener.onHint(answer.hint);
    } else if ('lostLease' in answer) {
      this.#listener.onLostLease(answer.lostLease);
    } else {
      this.#pending.get(answer.id)?.resolve(answer);
      this.#pending.delete(answer.id);
    }
  }
}

function reasonOf(cause: unknown): string {
  if (typeof cause === 'string') return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  return /ENOENT|ECONNREFUSED/.test(text) ? 'nobody serves it' : text;
}
