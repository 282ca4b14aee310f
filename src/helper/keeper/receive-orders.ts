import { createInterface } from 'node:readline';
import * as z from 'zod';
import { JobError } from '../../values/errors.ts';
import { forwardedSignalSchema, wantedStateSchema } from '../../contract/helper-events.ts';
import type { ForwardedSignal, WantedState } from '../../contract/helper-events.ts';
import type { LateCommand } from '../../contract/job-request.ts';
import { lateCommandSchema } from '../../contract/job-request.ts';
import { CallerDied } from '../job/caller-died.ts';
import { LauncherEnded } from './launcher-error.ts';
import type { EndedTasks } from './launcher-error.ts';
import { isWithinBudget } from '../../contract/request-budget.ts';
import { findJsonAs } from '../../values/parse-json-as.ts';

/** What the middleware may say on `open-job`'s standard input after the request, one JSON object a line. */
export const orderSchema = z.discriminatedUnion('order', [
  z.strictObject({ order: z.literal('cancel'), signal: z.enum(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']) }),
  /** For the job's command. */
  z.strictObject({ order: z.literal('signal'), signal: forwardedSignalSchema }),
  /** The scheduler has told the batch script to stand still, or to go on: its job shall do so on every host. */
  z.strictObject({ order: z.literal('want'), state: wantedStateSchema }),
  /** Of a job that was opened without one; the first counts. */
  lateCommandSchema.extend({ order: z.literal('command') }),
  /** The launcher has ended: no further node will come. */
  z.strictObject({
    order: z.literal('launcher-ended'),
    status: z.number().int(),
    /** Set when it was killed. */
    signal: z
      .string()
      .regex(/^SIG[A-Z0-9]{1,12}$/)
      .optional(),
    detail: z.string().max(4000),
  }),
  /**
   * The launcher has said that what it had started on these hosts has ended; once the command runs only where that was
   * `killedForMemory`.
   */
  z.strictObject({
    order: z.literal('task-ended'),
    hosts: z.array(z.string().max(253)).max(100),
    how: z.string().max(300),
    /** The last of the launcher's standard error. */
    detail: z.string().max(4000),
  }),
]);
export type Order = z.infer<typeof orderSchema>;

export interface Orders {
  /** The request, as text; at most 1 MiB. */
  readonly request: Promise<string>;
  /** The command of a job that was opened without one; never rejects. */
  readonly lateCommand: Promise<LateCommand>;
  /** Aborts with a `JobError`: an order to cancel, a signal, the end of the input. */
  readonly cancelled: AbortSignal;
  /** Aborts when no further node will come. */
  readonly launcherEnded: AbortSignal;
  /** Who gets the signals for the command; those that came before are kept for it. */
  onSignal(handler: (signal: ForwardedSignal) => void): void;
  /** Who is told whether the job is to stand still; of what came before, the last word is kept for it. */
  onWanted(handler: (wanted: WantedState) => void): void;
  /** Who is told of tasks that the launcher has seen end; those that came before are kept for it. */
  onTaskEnd(handler: (end: EndedTasks) => void): void;
  /** The first tasks that the launcher has seen end so far. */
  toldTaskEnds(): readonly EndedTasks[];
  close(): void;
}

/** A launcher has no more to say that would help. */
const mostTaskEnds = 1000;
/** The first of them say why a launcher has ended. */
const mostKeptEnds = 20;
const maxRequestBytes = 1024 * 1024;

/** Of signals for a command that does not run yet. */
const mostEarlySignals = 10;

/** Reads the request and then orders; the end of the input means that the middleware is gone: the job is released. */
export function receiveOrders(input: NodeJS.ReadableStream, requestDeadlineMs: number): Orders {
  const told = new ToldOrders();
  const request = Promise.withResolvers<string>();
  request.promise.catch(() => undefined);
  const refuse = (message: string): void =>
    request.reject(new JobError({ code: 'USAGE', message, hint: 'open-job is called by hpc-submit-dockerjob.' }));
  const timer = setTimeout(
    () => refuse(`No request arrived on standard input within ${requestDeadlineMs / 1000} s.`),
    requestDeadlineMs,
  );
  const lines = createInterface({ input, crlfDelay: Infinity });
  boundLines(input, () => {
    refuse(tooLong);
    lines.close();
  });
  lines.once('line', (line) => {
    clearTimeout(timer);
    // Bytes that are no text have become three each: the plan made of them would not fit into the store.
    if (Buffer.byteLength(line) > maxRequestBytes) refuse(tooLong);
    request.resolve(line);
    lines.on('line', (order) => told.heed(parseOrder(order)));
  });
  lines.on('close', () => {
    clearTimeout(timer);
    refuse('The input ended before a request.');
    told.end(new CallerDied());
  });
  const forgetSignals = heedSignals((signal) => told.cancel(cancelledBy(signal)));
  return {
    request: request.promise,
    lateCommand: told.lateCommand,
    cancelled: told.cancelled,
    launcherEnded: told.launcherEnded,
    onSignal: (handler) => told.signals.giveTo(handler),
    onWanted: (handler) => told.wanted.giveTo(handler),
    onTaskEnd: (handler) => told.taskEnds.giveTo(handler),
    toldTaskEnds: () => told.firstTaskEnds,
    close: () => {
      clearTimeout(timer);
      lines.close();
      forgetSignals();
    },
  };
}

const tooLong = 'The request is longer than 1 MiB.';

/** Calls `refuse` for each part of a line that is longer than a request may be: nobody collects it. */
function boundLines(input: NodeJS.ReadableStream, refuse: () => void): void {
  let pending = 0;
  input.on('data', (chunk: Buffer) => {
    pending = chunk.includes(10) ? 0 : pending + chunk.length;
    if (pending > maxRequestBytes) refuse();
  });
}

/** Calls `end` for each signal that asks this process to end; returns what undoes it. */
function heedSignals(end: (signal: NodeJS.Signals) => void): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, end);
  return () => {
    for (const signal of signals) process.removeListener(signal, end);
  };
}

/** Words for somebody who listens later: until then the first ones are kept, or the last ones. */
class KeptWords<Word> {
  readonly #most: number;
  readonly #which: 'first' | 'last';
  readonly #kept: Word[] = [];
  #handler: ((word: Word) => void) | undefined;

  constructor(most: number, which: 'first' | 'last') {
    this.#most = most;
    this.#which = which;
  }

  take(word: Word): void {
    if (this.#handler !== undefined) {
      this.#handler(word);
      return;
    }
    if (this.#kept.length === this.#most && this.#which === 'last') this.#kept.shift();
    if (this.#kept.length < this.#most) this.#kept.push(word);
  }

  giveTo(handler: (word: Word) => void): void {
    this.#handler = handler;
    this.#kept.splice(0).forEach((word) => handler(word));
  }
}

/** What the orders have said so far. */
class ToldOrders {
  readonly signals = new KeptWords<ForwardedSignal>(mostEarlySignals, 'first');
  readonly wanted = new KeptWords<WantedState>(1, 'last');
  readonly taskEnds = new KeptWords<EndedTasks>(mostTaskEnds, 'first');
  readonly firstTaskEnds: EndedTasks[] = [];
  readonly #cancel = new AbortController();
  readonly #launcher = new AbortController();
  readonly #lateCommand = Promise.withResolvers<LateCommand>();
  readonly cancelled = this.#cancel.signal;
  readonly launcherEnded = this.#launcher.signal;
  readonly lateCommand = this.#lateCommand.promise;

  cancel(error: JobError): void {
    this.#cancel.abort(error);
  }

  /** Nothing more will come: no node either. */
  end(error: JobError): void {
    this.#launcher.abort();
    this.#cancel.abort(error);
  }

  heed(order: Order | undefined): void {
    if (order?.order === 'cancel') this.cancel(cancelledBy(order.signal));
    if (order?.order === 'command') this.#takeCommand(order);
    if (order?.order === 'signal') this.signals.take(order.signal);
    if (order?.order === 'want') this.wanted.take(order.state);
    if (order?.order === 'task-ended') this.#takeTaskEnd(order);
    if (order?.order === 'launcher-ended') this.end(new LauncherEnded(order, this.firstTaskEnds));
  }

  #takeCommand(told: Extract<Order, { order: 'command' }>): void {
    const { order: _order, ...late } = told;
    if (isWithinBudget(late)) this.#lateCommand.resolve(late);
  }

  #takeTaskEnd(end: EndedTasks): void {
    if (this.firstTaskEnds.length < mostKeptEnds) this.firstTaskEnds.push(end);
    this.taskEnds.take(end);
  }
}

function parseOrder(line: string): Order | undefined {
  return findJsonAs(orderSchema, line); // written by a user's process: what is no order is no order
}

function cancelledBy(signal: string): JobError {
  return signal === 'SIGINT'
    ? new JobError({ code: 'INTERRUPTED', message: 'The job was interrupted (SIGINT).' })
    : new JobError({ code: 'TERMINATED', message: `The job was cancelled (${signal}).` });
}
