import { readFileSync } from 'node:fs';
import { JobError } from '../../values/errors.ts';

/** Who asks: root itself (a prolog, an administrator), or a user by the site's sudo rule. */
export type Caller = { readonly kind: 'root' } | { readonly kind: 'user'; readonly uid: number };

/** What the kernel says of this process, and what sudo says of its caller. */
export interface CallerFacts {
  readonly effectiveUid: number;
  /** Effective uid of the process that has started this one; undefined when that one has ended already. */
  readonly parentUid: number | undefined;
  /** SUDO_UID as sudo has set it; undefined when this process was not started through sudo. */
  readonly sudoUid: string | undefined;
}

/** The facts of this very process. */
export function readCallerFacts(environment: NodeJS.ProcessEnv): CallerFacts {
  return {
    effectiveUid: process.geteuid?.() ?? -1,
    parentUid: effectiveUidOf(process.ppid),
    sudoUid: environment['SUDO_UID'],
  };
}

/**
 * The caller. sudo is the only way from a user to root rights in this program, and it overwrites SUDO_UID whatever the
 * caller's environment says. So a SUDO_UID that is not 0 is that user, and nothing else is asked: not the command's name,
 * which the caller writes, and not whether a shell of root's lies between. Root has no SUDO_UID, or 0, and was started
 * by a process of root's. Fails with `NOT_PERMITTED` when neither can be proven.
 */
export function identifyCaller({ effectiveUid, parentUid, sudoUid }: CallerFacts): Caller {
  if (effectiveUid !== 0) {
    throw new JobError({
      code: 'NOT_PERMITTED',
      message: 'The helper was started without root rights.',
      hint: 'It is called by hpc-submit-dockerjob through sudo; an administrator installs the rule with hpc-dockerjob-setup.',
    });
  }
  const uid = sudoUid === undefined ? 0 : parseUid(sudoUid);
  if (uid === undefined) {
    throw new JobError({
      code: 'NOT_PERMITTED',
      message: `sudo names no valid caller (SUDO_UID=${JSON.stringify(sudoUid?.slice(0, 40))}).`,
    });
  }
  if (uid !== 0) return { kind: 'user', uid };
  if (parentUid !== undefined && parentUid !== 0) {
    throw new JobError({
      code: 'NOT_PERMITTED',
      message: `The helper was started as root by a process of uid ${parentUid}, and not through sudo.`,
      hint: 'Users call it through the sudo rule, administrators from a root shell.',
    });
  }
  return { kind: 'root' };
}

/** Who calls by what sudo says, for the record alone; undefined when that is no uid. */
export function uidOf({ sudoUid }: CallerFacts): number | undefined {
  return sudoUid === undefined ? 0 : parseUid(sudoUid);
}

/** The largest uid; the one above it means "none" to the kernel. */
const largestUid = 0xff_ff_ff_fe;

/** As sudo writes it: decimal digits and nothing else. */
function parseUid(text: string): number | undefined {
  const uid = /^(?:0|[1-9][0-9]{0,9})$/.test(text) ? Number(text) : NaN;
  return uid <= largestUid ? uid : undefined;
}

function effectiveUidOf(pid: number): number | undefined {
  try {
    const [, uid] = /^Uid:\t\d+\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return uid === undefined ? undefined : Number(uid);
  } catch {
    return undefined;
  }
}

/** What an administrator does whose root shell was opened by sudo, and who therefore still counts as a user. */
export const rootShellHint =
  'Administrators call the helper from a root shell; in one that sudo has opened, with sudo once more before the command.';

/** Fails with `NOT_PERMITTED` when a user calls; `what` begins the sentence: `Only root may …`. */
export function requireRoot(caller: Caller, what: string): void {
  if (caller.kind === 'root') return;
  throw new JobError({ code: 'NOT_PERMITTED', message: `${what}.`, hint: rootShellHint });
}

/** The uid of the user who asks; refuses root, because a job's containers never run as root. */
export function requireUser(caller: Caller): number {
  if (caller.kind === 'user') return caller.uid;
  throw new JobError({
    code: 'NOT_PERMITTED',
    message: 'Jobs in containers cannot be started by root.',
    hint: 'Submit the job as the user who owns it.',
  });
}

/** Fails with `JOB_NOT_YOURS` unless the caller is root or the job's owner; undefined is nobody. */
export function requireOwner(caller: Caller, ownerUid: number | undefined, job: string): void {
  if (caller.kind === 'root' || caller.uid === ownerUid) return;
  throw notYours(job);
}

/** The one answer about a job that is not the caller's, whether or not there is one of that name. */
export function notYours(job: string): JobError {
  return new JobError({
    code: 'JOB_NOT_YOURS',
    message: `Job ${job} belongs to another user, or there is no such job.`,
    hint: rootShellHint,
  });
}
