/**
 * What the helper records. A collector of logs may rely on these names and on the fields that every record has: `time`,
 * `host`, `pid`, `event`, `uid` (who called), `verb`, and `job` where one is known.
 */
export type AuditEvent =
  /** The decision on a call of the helper: one for each call, before anything is done. `verdict`, and `rule` or `code`. */
  | 'call'
  /** How a call ended: of those that last as long as a job, and of those that failed after they were allowed. */
  | 'call-ended'
  /** A container had written more than it may while its run-node did not watch; it was killed. */
  | 'disk-exceeded'
  /** A run-node was frozen or ended while its container lived: another process watches the Engine's disk since. */
  | 'disk-watch-taken-over'
  | 'helper-killed'
  /** An image came from a registry. */
  | 'image-fetched'
  /** A process of the user's on the host kept files of a removed container open. */
  | 'holder-killed'
  /** The same, and it could not be killed in time. */
  | 'holders-left'
  | 'job-controlled'
  | 'job-ended'
  | 'job-opened'
  | 'job-overdue'
  | 'job-released'
  | 'node-failed'
  | 'node-refused'
  | 'earlier-run-cleared'
  | 'node-released'
  | 'cgroups-swept'
  | 'reaped'
  | 'request-forged'
  | 'request-refused'
  | 'suspension-failed'
  /** A user's debugger held dead processes of a container that was to be removed. */
  | 'tracer-killed';

/** Why a call was allowed. */
export type AuditRule =
  /** Root calls. */
  | 'root'
  /** The job is the caller's, by the scheduler, its plan or its containers. */
  | 'owner'
  /** The job is the caller's, and the site's policy lets it run. */
  | 'owner-and-policy'
  /** Everybody may ask this. */
  | 'anyone'
  /** There was nothing that the call could have changed. */
  | 'nothing-there';

export type AuditValue = string | number | boolean | readonly string[] | undefined;

/** Facts of one event; values must never be secrets. Fields of the record itself are not theirs to give. */
export type AuditFacts = Readonly<Record<string, AuditValue>> & {
  readonly time?: never;
  readonly host?: never;
  readonly pid?: never;
  readonly event?: never;
  readonly uid?: never;
  readonly verb?: never;
  readonly seq?: never;
  readonly prev?: never;
};
