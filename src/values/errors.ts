/**
 * The one error type that adapters and phases throw on purpose, and the exit statuses it stands for.
 * Anything else that reaches the top of a program is a bug of ours and ends with 70.
 */

/** Exit statuses of the programs; a command's own status is passed on unchanged and may collide with these. */
export const exitStatus = {
  usage: 64,
  refusedRequest: 65,
  unavailable: 69,
  bug: 70,
  temporary: 75,
  refusedByPolicy: 77,
  badConfig: 78,
  interrupted: 130,
  terminated: 143,
} as const;

/** Every error code with the exit status it leads to. The code is the stable name; texts may change. */
const statusByCode = {
  USAGE: exitStatus.usage,
  NOT_IN_A_JOB: exitStatus.usage,
  JOB_KEY_INVALID: exitStatus.usage,
  COMMAND_EMPTY: exitStatus.refusedRequest,
  IMAGE_MISSING_IN_REQUEST: exitStatus.refusedRequest,
  IMAGE_REFERENCE_INVALID: exitStatus.refusedRequest,
  IMAGE_NOT_PRESENT: exitStatus.refusedRequest,
  IMAGE_UNUSABLE: exitStatus.refusedRequest,
  APPLICATION_UNKNOWN: exitStatus.refusedRequest,
  WORKDIR_UNUSABLE: exitStatus.refusedRequest,
  REQUEST_INVALID: exitStatus.refusedRequest,
  ALLOCATION_INVALID: exitStatus.refusedRequest,
  OUT_OF_MEMORY: exitStatus.refusedRequest,
  DISK_LIMIT: exitStatus.refusedRequest,
  OUTPUT_LOST: exitStatus.refusedRequest,
  STORE_UNREACHABLE: exitStatus.unavailable,
  STORE_FULL: exitStatus.unavailable,
  PLAN_UNREADABLE: exitStatus.unavailable,
  ENGINE_UNREACHABLE: exitStatus.unavailable,
  SCHEDULER_UNREACHABLE: exitStatus.unavailable,
  LAUNCHER_FAILED: exitStatus.unavailable,
  HELPER_UNAVAILABLE: exitStatus.unavailable,
  HOST_UNFIT: exitStatus.unavailable,
  REGISTRY_UNUSABLE: exitStatus.unavailable,
  AUDIT_UNWRITABLE: exitStatus.unavailable,
  BUG: exitStatus.bug,
  POOL_EXHAUSTED: exitStatus.temporary,
  JOB_BUSY: exitStatus.temporary,
  NODE_LATE: exitStatus.temporary,
  NODE_LOST: exitStatus.temporary,
  SCRIPT_LATE: exitStatus.temporary,
  LEASE_LOST: exitStatus.temporary,
  HELPER_LOST: exitStatus.temporary,
  OVER_BUDGET: exitStatus.temporary,
  IMAGE_NOT_FETCHED: exitStatus.temporary,
  IMAGE_NOT_ALLOWED: exitStatus.refusedByPolicy,
  APPLICATION_NOT_ALLOWED: exitStatus.refusedByPolicy,
  MOUNT_NOT_ALLOWED: exitStatus.refusedByPolicy,
  DEVICE_NOT_ALLOWED: exitStatus.refusedByPolicy,
  SHM_NOT_ALLOWED: exitStatus.refusedByPolicy,
  JOB_NOT_YOURS: exitStatus.refusedByPolicy,
  NOT_PERMITTED: exitStatus.refusedByPolicy,
  TIME_LIMIT: exitStatus.refusedByPolicy,
  CONFIG_INVALID: exitStatus.badConfig,
  CONFIG_UNTRUSTED: exitStatus.badConfig,
  INTERRUPTED: exitStatus.interrupted,
  TERMINATED: exitStatus.terminated,
} as const satisfies Record<string, number>;

/** Stable name of an error; see `exitStatusOf` for what it does to the program's exit status. */
export type ErrorCode = keyof typeof statusByCode;

/** True when `text` is one of our codes: errors cross process borders as JSON. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(statusByCode, text);
}

/** The exit status that an error code leads to. */
export function exitStatusOf(code: ErrorCode): number {
  return statusByCode[code];
}

/** The codes that lead to an exit status, in the order of the catalogue. */
export function listErrorCodes(status: number): readonly ErrorCode[] {
  return (Object.keys(statusByCode) as ErrorCode[]).filter((code) => statusByCode[code] === status);
}

/** What a `JobError` says: what happened and why (`message`), what to do (`hint`). */
export interface JobErrorFacts {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
  /** The key of site.yaml that decided it, where one did: `images.allowed "lab/*".groups`. */
  readonly rule?: string | undefined;
  readonly cause?: unknown;
}

/**
 * What steers a terminal or turns the direction of a text: messages quote users, images and other programs. Line ends and
 * tabulators stay, for messages that are lists.
 */
const steering = /(?![\n\t])[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** A failure with a stable code, a message for people and a hint what to do. Never holds a secret, steers no terminal. */
export class JobError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly rule: string | undefined;

  constructor(facts: JobErrorFacts) {
    super(facts.message.replaceAll(steering, '\ufffd'), facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = 'JobError';
    this.code = facts.code;
    this.hint = facts.hint?.replaceAll(steering, '\ufffd');
    this.rule = facts.rule?.replaceAll(steering, '\ufffd');
  }

  /** An error that another of our programs reported; an unknown code counts as a bug. */
  static fromWire(facts: {
    readonly code: string;
    readonly message: string;
    readonly hint?: string | undefined;
    readonly rule?: string | undefined;
  }): JobError {
    return new JobError({ ...facts, code: isErrorCode(facts.code) ? facts.code : 'BUG' });
  }

  get exitStatus(): number {
    return exitStatusOf(this.code);
  }

  /** One line for people: what, why, what to do, the rule where that is not said yet, and the stable name. */
  toLine(): string {
    const words = [this.message, this.hint].filter(Boolean).join(' ');
    const rule = this.rule === undefined || words.includes(`site.yaml ${this.rule}`) ? '' : `(site.yaml ${this.rule})`;
    return [words, rule, `[${this.code}]`].filter(Boolean).join(' ');
  }
}

/** What went wrong as a part of a longer sentence: without the period at its end. */
export function asClause(thrown: unknown): string {
  return (thrown instanceof Error ? thrown.message : String(thrown)).trim().replace(/\.+$/, '');
}

/** What a host lacks when the kernel answers with this to whatever we do. */
const wants: Readonly<Record<string, string>> = {
  ENOSPC: 'has no room left on a disk, or in /run or /tmp',
  EDQUOT: 'has no room left for its user on a disk',
  EROFS: 'cannot write to a file system that should be writable',
  EIO: 'has a disk that reports errors',
  EMFILE: 'has no open file left for a program',
  ENFILE: 'has no open file left',
  ENOMEM: 'has no memory left',
  EAGAIN: 'has no process left to start',
};

/** Only of calls of the kernel: other errors have codes as well. */
function wantOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('syscall' in thrown) || !('code' in thrown)) return undefined;
  const code = String(thrown.code);
  const syscall = String(thrown.syscall);
  // A descriptor that is not ready, and the number of watched files, are no want of the host.
  if (syscall === 'watch' || (code === 'EAGAIN' && !syscall.startsWith('spawn'))) return undefined;
  return Object.hasOwn(wants, code) ? wants[code] : undefined;
}

/** Any thrown value as a `JobError`; what is not one already is a want of the host, or a bug, and keeps its cause. */
export function asJobError(thrown: unknown): JobError {
  if (thrown instanceof JobError) return thrown;
  // Of a part of the program that is a bundle of its own, and has its own copy of this class.
  if (thrown instanceof Error && thrown.name === 'JobError' && 'code' in thrown) {
    const hint = 'hint' in thrown && typeof thrown.hint === 'string' ? thrown.hint : undefined;
    const rule = 'rule' in thrown && typeof thrown.rule === 'string' ? thrown.rule : undefined;
    return JobError.fromWire({ code: String(thrown.code), message: thrown.message, hint, rule });
  }
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const want = wantOf(thrown);
  if (want !== undefined) {
    return new JobError({
      code: 'HOST_UNFIT',
      message: `This host ${want}: ${text}.`,
      hint: 'Ask the administrators to look at it: df -h, df -i and the kernel log (dmesg) show what is short.',
      cause: thrown,
    });
  }
  return new JobError({
    code: 'BUG',
    message: `Unexpected failure: ${text}.`,
    hint: 'This is a fault of hpc-submit-dockerjob; please report it with the version and the job id.',
    cause: thrown,
  });
}
