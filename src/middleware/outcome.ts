import type { ErrorCode } from '../values/errors.ts';
import { JobError } from '../values/errors.ts';
import { signalOfStatus } from '../values/signal-of-status.ts';
import { sumUsage } from '../contract/sum-usage.ts';
import type { HelperEvent, JobEnd, UsedByNode } from '../contract/helper-events.ts';

/** How an opened job ended. */
export interface Outcome {
  readonly job: string;
  readonly scheduler: string;
  readonly opened: Extract<HelperEvent, { event: 'opened' }>;
  readonly end: JobEnd;
  /** Undefined when the helper died before it could tell. */
  readonly leftovers?: readonly string[];
  /** Of the nodes that could tell. */
  readonly usage: readonly UsedByNode[];
  readonly phaseTimesMs: Readonly<Record<string, number>>;
}

/** The object of `--json` for a job that was opened: who ended it, how, where it ran, and when each phase was reached; `leftovers` is missing when nobody could look. */
export function outcomeJson({ job, scheduler, opened, end, leftovers, usage, phaseTimesMs }: Outcome): string {
  return JSON.stringify({
    job,
    scheduler,
    endedBy: end.by,
    exitStatus: end.exitStatus,
    ...signalOf(end),
    ...(end.by === 'middleware'
      ? { error: { code: end.code, rule: end.rule, message: end.message, hint: end.hint } }
      : {}),
    image: opened.image,
    imageId: opened.imageId,
    imageDigest: opened.imageDigest,
    network: { driver: opened.driver, cidr: opened.cidr },
    nodes: opened.nodes,
    leftovers,
    usage: { ...sumUsage(usage), nodes: usage },
    phaseTimesMs,
  });
}

/** Of a command alone: a status of ours that is as high says who has ended the job. */
function signalOf({ by, exitStatus }: JobEnd): { readonly signal?: string } {
  const signal = by === 'command' ? signalOfStatus(exitStatus) : undefined;
  return signal === undefined ? {} : { signal: signal.name };
}

/** Failures that may come when the job runs already: what is left of it then, nobody has looked. */
const lateFailures: readonly ErrorCode[] = ['HELPER_LOST', 'BUG'];

/** The object of `--json` for a request that was refused, or whose helper has died: only then `leftovers` is missing. */
export function refusalJson({ code, rule, message, hint, exitStatus, cause }: JobError): string {
  const first = cause instanceof JobError ? cause.code : code; // memory may be why the helper has died
  const leftovers = lateFailures.includes(first) ? {} : { leftovers: [] };
  return JSON.stringify({ endedBy: 'middleware', exitStatus, error: { code, rule, message, hint }, ...leftovers });
}
