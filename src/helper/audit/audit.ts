import { hostname } from 'node:os';
import { exitStatus, JobError } from '../../values/errors.ts';
import type { AuditEvent, AuditFacts, AuditRule } from './audit-events.ts';
import type { AuditSink } from './audit-sink.ts';
import { retryUntil } from '../../system/retry-until.ts';
import { writeRecord } from './write-record.ts';

/** Records what one call of the helper decides and does. */
export interface Audit {
  /** Names the job of the call, once it is known. */
  about(job: string): void;
  /** The call is allowed: recorded before anything is done. Only the first word of a call counts. */
  allow(rule: AuditRule, facts?: AuditFacts): void;
  record(event: AuditEvent, facts: AuditFacts): void;
  /** Fails with `AUDIT_UNWRITABLE` when the site demands records (`audit.required`) and they cannot be written, also not now. */
  requireWritable(): Promise<void>;
}

/** The same for the program itself, which sees the call's end. */
export interface CallAudit extends Audit {
  /** The call is over: records how, unless its decision has said all. */
  end(outcome: CallOutcome): void;
  /** Resolves when the records are out of this process's hands, or after a second. Never rejects. */
  flush(): Promise<void>;
}

export interface CallOutcome {
  readonly status: number;
  readonly error: JobError | undefined;
  /** True for a call that lasts as long as its job. */
  readonly isLong: boolean;
}

/** Who calls for what. */
export interface AuditedCall {
  readonly uid: number | undefined;
  readonly verb: string;
  readonly job?: string | undefined;
}

/**
 * Records may wait although the disk takes them: who was to append them can have been stopped by the user whose job it was
 * in. So before a job is refused for it they are appended, and waited for.
 */
const usualPatienceMs = 3000;
const lookEveryMs = 100;

/** The records of one call. Nothing of it ever fails but `requireWritable`: a full disk must not stop a clean-up. */
export function auditCall(
  sink: AuditSink,
  call: AuditedCall,
  { isRequired, patienceMs = usualPatienceMs }: { readonly isRequired: boolean; readonly patienceMs?: number },
): CallAudit {
  let { job } = call;
  let isDecided = false;
  const record = (event: AuditEvent, facts: AuditFacts): void => {
    const base = { time: new Date().toISOString(), host: hostname(), pid: process.pid, event, ...call, job };
    sink.add(writeRecord(base, facts));
  };
  const decide = (facts: AuditFacts): void => {
    isDecided = true;
    record('call', facts);
  };
  return {
    about: (known) => void (job = known),
    allow: (rule, facts = {}) => {
      if (!isDecided) decide({ verdict: 'allowed', rule, ...facts });
    },
    record,
    requireWritable: async () => {
      if (!isRequired || sink.findProblem() === undefined) return;
      await sink.flush();
      const isFine = (): true | undefined => (sink.findProblem() === undefined ? true : undefined);
      await retryUntil(isFine, { pauseMs: lookEveryMs, deadlineMs: patienceMs });
      const problem = sink.findProblem();
      if (problem !== undefined) throw unwritable(problem);
    },
    end: ({ status, error, isLong }) => {
      const wasDecided = isDecided;
      if (!wasDecided) decide(error === undefined ? { verdict: 'allowed', rule: 'nothing-there' } : verdictOf(error));
      if (isLong ? wasDecided : wasDecided && error !== undefined)
        record(
          'call-ended',
          error === undefined ? { verdict: status === 0 ? 'done' : 'failed', status } : verdictOf(error),
        );
    },
    flush: async () => await sink.flush(),
  };
}

const refusals: readonly number[] = [exitStatus.usage, exitStatus.refusedRequest, exitStatus.refusedByPolicy];

function verdictOf({ code, message, exitStatus: status }: JobError): AuditFacts {
  return { verdict: refusals.includes(status) ? 'refused' : 'failed', code, status, message };
}

function unwritable(problem: string): JobError {
  return new JobError({
    code: 'AUDIT_UNWRITABLE',
    message: `This host cannot write its audit records: ${problem}.`,
    hint: 'This site starts no job without audit records (audit.required). Ask the administrators to look at audit.file.',
  });
}
