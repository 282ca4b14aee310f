import * as z from 'zod';
import { exitStatus, exitStatusOf, isErrorCode } from '../values/errors.ts';
import { oneLine } from '../values/one-line.ts';

/** An image that was looked for on one host. */
const foundImageSchema = z.object({
  reference: z.string(),
  isPresent: z.boolean(),
  id: z.string().optional(),
  /** `repository@sha256:…`, where it came from a registry. */
  digest: z.string().optional(),
  bytes: z.number().optional(),
  /** `linux/amd64` */
  platform: z.string().optional(),
  /** The registry that a job fetches it from when it is not present. */
  fetchedFrom: z.string().optional(),
});
export type FoundImage = z.infer<typeof foundImageSchema>;

/** What one check of a host found out. `skip`: it could not look, which is no fault. */
export const findingSchema = z.object({
  check: z.string().max(60),
  verdict: z.enum(['ok', 'warn', 'fail', 'skip']),
  message: z.string(),
  hint: z.string().optional(),
  code: z.string().optional(),
  /** Of the check `image`. */
  image: foundImageSchema.optional(),
});
export type Finding = z.infer<typeof findingSchema>;

/** A finding before it is known whose it is. */
export type Answer = Omit<Finding, 'check'>;

/** One thing to look at. It says that all is well or gives a warning; it fails by throwing a `JobError`. */
export interface Check {
  readonly name: string;
  readonly look: () => Answer | Promise<Answer>;
}

/** All is as it must be. */
export function fine(message: string): Answer {
  return { verdict: 'ok', message };
}

/** Works, but not as well as it should. */
export function warning(message: string, hint?: string): Answer {
  return { verdict: 'warn', message, ...(hint === undefined ? {} : { hint }) };
}

/** Cannot be looked at from here, or does not concern this host. */
export function skipped(message: string): Answer {
  return { verdict: 'skip', message };
}

/** Characters of one finding on a terminal. */
const mostWords = 4000;

/** What and why, what to do, and the stable name of a failure, as one line that steers no terminal. */
export function renderFinding({ message, hint, code }: Finding): string {
  const what = hint === undefined ? message : message.replace(/[^.:]$/, '$&.');
  const words = [what, hint, code === undefined ? undefined : `[${code}]`].filter(Boolean).join(' ');
  // Messages may quote files and other programs.
  return oneLine(words, mostWords);
}

/** Statuses from the one that explains most of what else may be wrong. */
const gravest = [exitStatus.badConfig, exitStatus.refusedByPolicy, exitStatus.unavailable, exitStatus.bug] as const;

/** 0 when nothing failed; else the status of the gravest failure: a wrong policy, wrong rights, something away, the rest. */
export function statusOfFindings(findings: readonly Finding[]): number {
  const statuses = findings.filter(({ verdict }) => verdict === 'fail').map(({ code }) => statusOfCode(code));
  return gravest.find((status) => statuses.includes(status)) ?? statuses[0] ?? 0;
}

function statusOfCode(code: string | undefined): number {
  return exitStatusOf(code !== undefined && isErrorCode(code) ? code : 'BUG');
}
