import type Docker from 'dockerode';
import { JobError } from '../values/errors.ts';
import { oneLine } from '../values/one-line.ts';
import { pause, withDeadline } from '../system/deadline.ts';

/** What one HTTP status stands for; may throw a `JobError` made of the engine's own words. */
export type StatusMeaning<T> = Readonly<Record<number, (engineSays: string) => T>>;

/** The library's client with what every call needs. */
export interface EngineClient {
  readonly docker: Docker;
  readonly socketPath: string;
  readonly callTimeoutMs: number;
  /** How long a running container outlives an engine that is away. */
  readonly absenceMs: number;
  /** How long calls are tried again since the engine went away: a restart takes some seconds. */
  readonly retryMs: number;
  /** Since when the engine has been away, for all calls together: they wait once, not one after the other. */
  readonly absence: { since: number | undefined };
}

export interface CallOptions<T> {
  /** Statuses of this call that are answers and not failures. */
  readonly meaning?: StatusMeaning<T>;
  /** Time that the call itself asks for, on top of the deadline. */
  readonly extraMs?: number;
  /** True where the caller itself tries again. */
  readonly isHurried?: boolean;
}

const retryEveryMs = 250;

/**
 * One call of the engine with a deadline. It is tried again for `client.retryMs` when the engine is away, so it must be
 * one that may be carried out twice. Fails with `ENGINE_UNREACHABLE` when no answer comes, and with `HOST_UNFIT` for
 * every answer that `meaning` does not explain. After a deadline the engine may still carry the call out.
 */
export async function callEngine<T>(
  client: EngineClient,
  purpose: string,
  action: (abortSignal: AbortSignal) => Promise<T>,
  options: CallOptions<T> = {},
): Promise<T> {
  const { absence, retryMs } = client;
  for (;;) {
    try {
      const answer = await callOnce(client, purpose, action, options);
      absence.since = undefined;
      return answer;
    } catch (error) {
      if (!isUnreachable(error)) {
        absence.since = undefined;
        throw error;
      }
      absence.since ??= performance.now();
      if (options.isHurried === true || performance.now() - absence.since > retryMs) throw error;
      await pause(retryEveryMs);
    }
  }
}

export function isUnreachable(error: unknown): boolean {
  return error instanceof JobError && error.code === 'ENGINE_UNREACHABLE';
}

async function callOnce<T>(
  client: EngineClient,
  purpose: string,
  action: (abortSignal: AbortSignal) => Promise<T>,
  { meaning = {}, extraMs = 0 }: CallOptions<T>,
): Promise<T> {
  const deadlineMs = client.callTimeoutMs + extraMs;
  try {
    // Not by the signal alone: when a connection breaks inside an answer the library never settles.
    return await withDeadline(deadlineMs, action, () => new Error(`no answer within ${deadlineMs} ms`));
  } catch (error) {
    const status = httpStatusOf(error);
    const explain = status === undefined || isContainerdAway(error) ? undefined : meaning[status];
    if (explain !== undefined) return explain(engineWords(error));
    throw toJobError(client, purpose, error);
  }
}

function toJobError(client: EngineClient, purpose: string, error: unknown): JobError {
  if (error instanceof JobError) return error;
  const engineSays = engineWords(error);
  if (httpStatusOf(error) !== undefined && !isContainerdAway(error)) {
    return new JobError({
      code: 'HOST_UNFIT',
      message: `The Docker Engine refused to ${purpose}: ${engineSays}.`,
      cause: error,
    });
  }
  return new JobError({
    code: 'ENGINE_UNREACHABLE',
    message: `Could not ${purpose}: the Docker Engine at ${client.socketPath} does not answer (${engineSays}).`,
    hint: 'Ask the administrators to look at dockerd on this host.',
    cause: error,
  });
}

/** The engine answers, but what it needs for every container does not: a restart of containerd, mostly. */
function isContainerdAway(error: unknown): boolean {
  const words = httpStatusOf(error) === 500 || httpStatusOf(error) === 503 ? engineWords(error) : '';
  return /containerd\.sock|\btransport is closing|error reading from server: EOF|\bttrpc: closed|: unavailable$/i.test(
    words,
  );
}

function httpStatusOf(error: unknown): number | undefined {
  const status = typeof error === 'object' && error !== null && 'statusCode' in error ? error.statusCode : undefined;
  return typeof status === 'number' ? status : undefined;
}

/** The engine's message on one line: it may quote bytes of an image, so it is cleaned and cut. */
function engineWords(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return oneLine(text.replace(/^\(HTTP code \d+\) [^-]* - /, ''), 400).replace(/\.$/, '');
}
