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

/** Reads the request and then orders; the end of the input means that the middleware is gone: the job is released. */
export function receiveOrders(input: NodeJS.ReadableStream, requestDeadlineMs: number): Orders {
  const cancel = new AbortController();
  const launcher = new AbortController();
  const request = Promise.withResolvers<string>();
  const lateCommand = Promise.withResolvers<LateCommand>();
  const early: ForwardedSignal[] = [];
  let passSignal = (signal: ForwardedSignal): void => {
    if (early.length < 10) early.push(signal);
  };
  let earlyWanted: WantedState | undefined;
  let passWanted = (wanted: WantedState): void => void (earlyWanted = wanted);
  const earlyTaskEnds: EndedTasks[] = [];
  const taskEnds: EndedTasks[] = [];
  let tellTaskEnd = (end: EndedTasks): void => {
    if (earlyTaskEnds.length < mostTaskEnds) earlyTaskEnds.push(end);
  };
  request.promise.catch(() => undefined);
  const refuse = (message: string): void =>
    request.reject(new JobError({ code: 'USAGE', message, hint: 'open-job is called by hpc-submit-dockerjob.' }));
  const timer = setTimeout(
    () => refuse(`No request arrived on standard input within ${requestDeadlineMs / 1000} s.`),
    requestDeadlineMs,
  );
  let pending = 0;
  input.on('data', (chunk: Buffer) => {
    pending = chunk.includes(10) ? 0 : pending + chunk.length;
    if (pending <= maxRequestBytes) return;
    refuse('The request is longer than 1 MiB.');
    lines.close();
  });
  const lines = createInterface({ input, crlfDelay: Infinity });
  let hasRequest = false;
  lines.on('line', (line) => {
    if (!hasRequest) {
      hasRequest = true;
      clearTimeout(timer);
      // Bytes that are no text have become three each: the plan made of them would not fit into the store.
      if (Buffer.byteLength(line) > maxRequestBytes) refuse('The request is longer than 1 MiB.');
      request.resolve(line);
      return;
    }
    const order = parseOrder(line);
    if (order?.order === 'cancel') cancel.abort(cancelledBy(order.signal));
    if (order?.order === 'command' && isWithinBudget(order)) {
      const { order: _order, ...late } = order;
      lateCommand.resolve(late);
    }
    if (order?.order === 'signal') passSignal(order.signal);
    if (order?.order === 'want') passWanted(order.state);
    if (order?.order === 'task-ended') {
      if (taskEnds.length < mostKeptEnds) taskEnds.push(order);
      tellTaskEnd(order);
    }
    if (order?.order === 'launcher-ended') {
      launcher.abort();
      cancel.abort(new LauncherEnded(order, taskEnds));
    }
  });
  lines.on('close', () => {
    clearTimeout(timer);
    refuse('The input ended before a request.');
    launcher.abort();
    cancel.abort(new CallerDied());
  });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const onSignal = (signal: NodeJS.Signals): void => cancel.abort(cancelledBy(signal));
  for (const signal of signals) process.on(signal, onSignal);
  return {
    request: request.promise,
    lateCommand: lateCommand.promise,
    cancelled: cancel.signal,
    launcherEnded: launcher.signal,
    onSignal: (handler) => {
      passSignal = handler;
      early.splice(0).forEach(handler);
    },
    onWanted: (handler) => {
      passWanted = handler;
      if (earlyWanted !== undefined) handler(earlyWanted);
    },
    onTaskEnd: (handler) => {
      tellTaskEnd = handler;
      earlyTaskEnds.splice(0).forEach(handler);
    },
    toldTaskEnds: () => taskEnds,
    close: () => {
      clearTimeout(timer);
      lines.close();
      for (const signal of signals) process.removeListener(signal, onSignal);
    },
  };
}

function parseOrder(line: string): Order | undefined {
  return findJsonAs(orderSchema, line); // written by a user's process: what is no order is no order
}

function cancelledBy(signal: string): JobError {
  return signal === 'SIGINT'
    ? new JobError({ code: 'INTERRUPTED', message: 'The job was interrupted (SIGINT).' })
    : new JobError({ code: 'TERMINATED', message: `The job was cancelled (${signal}).` });
}
