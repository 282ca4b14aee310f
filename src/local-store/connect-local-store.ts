import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Lease, Store, Watch } from '../ports/store.ts';
import { JobError } from '../values/errors.ts';
import type { KeyRange } from '../contract/kvs-keys.ts';
import { readLines } from '../system/lines.ts';
import type { Answer, Request } from './wire.ts';
import { answerSchema, maxLineBytes } from './wire.ts';
import { findJsonAs } from '../values/parse-json-as.ts';
import { pause, withDeadline } from '../system/deadline.ts';

export interface LocalStoreOptions {
  /** Deadline of one call. */
  readonly callTimeoutMs?: number;
}

/** A request without the id, for each kind of request. */
type Call = Request extends infer Each ? (Each extends Request ? Omit<Each, 'id'> : never) : never;

interface Pending {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

interface OpenWatch {
  readonly range: KeyRange;
  readonly lookAgain: () => void;
  /** Id of the request that set it up on the present connection. */
  id: number | undefined;
}

const reconnectPauseMs = 1000;

/**
 * The store that another helper on this host serves. Connects on the first call and again on a later one.
 * When the server goes away calls fail with STORE_UNREACHABLE, watches give a hint and leases are lost: the server
 * ends them with the connection.
 */
export function connectLocalStore(socketPath: string, { callTimeoutMs = 2000 }: LocalStoreOptions = {}): Store {
  const pending = new Map<number, Pending>();
  const leases = new Map<string, AbortController>();
  const watches = new Set<OpenWatch>();
  const closed = new AbortController();
  let socket: Socket | undefined;
  let lastId = 0;
  let isRewatching = false;

  const unreachable = (cause?: unknown): JobError =>
    new JobError({
      code: 'STORE_UNREACHABLE',
      message: `Could not reach the job-local store at ${socketPath}: ${reasonOf(cause)}.`,
      hint: 'The helper that opened the job keeps it; the job is over when that helper is gone.',
      cause,
    });

  const connection = (): Socket => {
    if (closed.signal.aborted) throw unreachable('it was closed here');
    socket ??= openSocket();
    return socket;
  };

  const openSocket = (): Socket => {
    const opened = connect(socketPath);
    let failure: unknown;
    readLines(opened, maxLineBytes, (line) => take(opened, line));
    opened.on('error', (error) => (failure = error));
    opened.on('close', () => {
      if (socket !== opened) return;
      socket = undefined;
      dropConnection(unreachable(failure ?? 'it closed the connection'));
    });
    return opened;
  };

  const dropConnection = (error: JobError): void => {
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
    // Who closes the store himself needs no word of it.
    if (closed.signal.aborted) return;
    for (const lost of leases.values()) lost.abort(leaseEnded());
    leases.clear();
    for (const watch of watches) {
      if (watch.id !== undefined) watch.lookAgain();
      watch.id = undefined;
    }
    void rewatch();
  };

  const take = (from: Socket, line: string): void => {
    const answer = parseAnswer(line);
    if (answer === undefined) {
      from.destroy(new Error('it sent something that is no answer'));
      return;
    }
    if ('hint' in answer) {
      for (const { id, lookAgain } of watches) if (id === answer.hint) lookAgain();
    } else if ('lostLease' in answer) {
      leases.get(answer.lostLease)?.abort(leaseEnded());
      leases.delete(answer.lostLease);
    } else {
      pending.get(answer.id)?.resolve(answer);
      pending.delete(answer.id);
    }
  };

  const ask = async (call: Call, id = ++lastId): Promise<Answer> => {
    const opened = connection();
    const answered = new Promise<Answer>((resolve, reject) => pending.set(id, { resolve, reject }));
    opened.write(`${JSON.stringify({ id, ...call })}\n`);
    try {
      const answer = await withDeadline(
        callTimeoutMs,
        async () => await answered,
        () => unreachable('no answer in time'),
      );
      if ('error' in answer) throw JobError.fromWire(answer.error);
      return answer;
    } finally {
      pending.delete(id);
    }
  };

  /** Sets up the watches that have none on this connection; tries until it has or none is open. */
  const rewatch = async (): Promise<void> => {
    if (isRewatching) return;
    isRewatching = true;
    while (!closed.signal.aborted) {
      const waiting = [...watches].filter(({ id }) => id === undefined);
      if (waiting.length === 0) break;
      try {
        for (const watch of waiting) {
          watch.id = ++lastId;
          await ask({ call: 'watch', range: watch.range }, watch.id);
          // What happened before the watch stood gave no hint.
          if (watches.has(watch)) watch.lookAgain();
        }
      } catch {
        for (const watch of waiting) watch.id = undefined;
        await pause(reconnectPauseMs, { signal: closed.signal });
      }
    }
    isRewatching = false;
  };

  return {
    read: async (range) => {
      const answer = await ask({ call: 'read', range });
      return 'entries' in answer ? answer.entries : [];
    },
    commit: async ({ conditions = [], puts = [], deletes = [] }) => {
      const answer = await ask({
        call: 'commit',
        conditions: [...conditions],
        puts: puts.map(({ key, value, lease }) => ({ key, value, leaseId: lease?.id })),
        deletes: [...deletes],
      });
      return 'committed' in answer && answer.committed;
    },
    grantLease: async (ttlSeconds): Promise<Lease> => {
      const answer = await ask({ call: 'grantLease', ttlSeconds });
      if (!('leaseId' in answer)) throw unreachable('it sent something that is no answer');
      const { leaseId } = answer;
      const lost = new AbortController();
      leases.set(leaseId, lost);
      const revoke = async (): Promise<void> => {
        if (!leases.delete(leaseId)) return;
        await ask({ call: 'revokeLease', leaseId });
      };
      return { id: leaseId, lost: lost.signal, revoke };
    },
    watch: (range, lookAgain): Watch => {
      const watch: OpenWatch = { range, lookAgain, id: undefined };
      watches.add(watch);
      void rewatch();
      return {
        close: async () => {
          watches.delete(watch);
          // Without a connection there is nothing to take back.
          if (watch.id !== undefined) await ask({ call: 'unwatch', watchId: watch.id }).catch(() => undefined);
        },
      };
    },
    close: async () => {
      closed.abort();
      watches.clear();
      const ended = socket;
      if (ended === undefined) return;
      const gone = new Promise((resolve) => ended.once('close', resolve));
      ended.destroy();
      await gone;
    },
  };
}

function parseAnswer(line: string): Answer | undefined {
  return findJsonAs(answerSchema, line);
}

function reasonOf(cause: unknown): string {
  if (typeof cause === 'string') return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  return /ENOENT|ECONNREFUSED/.test(text) ? 'nobody serves it' : text;
}

function leaseEnded(): JobError {
  return new JobError({ code: 'LEASE_LOST', message: 'The lease in the job-local store has ended.' });
}
