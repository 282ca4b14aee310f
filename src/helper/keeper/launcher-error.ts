import { isErrorCode, JobError } from '../../values/errors.ts';
import type { ErrorCode } from '../../values/errors.ts';
import { endInOneLine } from '../../values/one-line.ts';

/** How a launcher has ended before the job did. */
export interface LauncherEnd {
  readonly status: number;
  /** Set when it was killed. */
  readonly signal?: string | undefined;
  /** The last of its standard error, on which the helpers of the hosts speak as well, and the user once the command runs. */
  readonly detail: string;
}

/** Tasks that the launcher has seen end before the command's start. */
export interface EndedTasks {
  /** By the launcher's names. */
  readonly hosts: readonly string[];
  /** To follow "its helper". */
  readonly how: string;
  /** The last of its standard error by then. */
  readonly detail: string;
}

const endedHint = 'Submit the job again; if that stays, look who ends the launcher.';

/** The launcher is gone and nothing better is known. */
export class LauncherEnded extends JobError {
  /** The same with the cause first, as a helper on a host has told it; to be believed before the command runs only. */
  readonly told: JobError | undefined;
  /** What the launcher said of single tasks, in that order: of one that fails to start srun ends all the others. */
  readonly tasks: readonly EndedTasks[];
  readonly killedBy: string | undefined;
  /** The last of its standard error. */
  readonly detail: string;

  constructor({ status, signal, detail }: LauncherEnd, tasks: readonly EndedTasks[] = []) {
    const ending = signal === undefined ? `ended with status ${status}` : `was killed (${signal})`;
    // A user's words, which end in REASON: no control characters reach an operator's terminal.
    const said = endInOneLine(detail, 1000);
    super({
      code: 'LAUNCHER_FAILED',
      message: `The scheduler's launcher ${ending} before the job did${said === '' ? '' : `: ${said}`}.`,
      hint:
        signal === undefined
          ? 'Every host needs the helper and its sudo rule; see `hpc-dockerjob-setup --help`.'
          : endedHint,
    });
    this.tasks = tasks;
    this.killedBy = signal;
    this.detail = detail;
    const word = findHelperWord(detail);
    this.told =
      word && new JobError({ code: word.code, message: `${word.message} (The scheduler's launcher ${ending}.)` });
  }

  /** The same of a job that every host had begun: none of them lacks the helper or its sudo rule. */
  afterStart(): JobError {
    return new JobError({ code: this.code, message: this.message, hint: endedHint });
  }
}

/** Of a fault of ours the whole text is wanted. */
const untoldCodes: readonly ErrorCode[] = ['BUG', 'USAGE'];

/** What the helper of a host said last when it failed. */
export function findHelperWord(detail: string): { readonly code: ErrorCode; readonly message: string } | undefined {
  const words = detail.split('\n').map((line) => /^hpc-dockerjob-helper: (.+) \[([A-Z_]{3,40})\]\s*$/.exec(line));
  for (const [, message = '', code = ''] of words.filter((match) => match !== null).reverse())
    if (isErrorCode(code) && !untoldCodes.includes(code)) return { code, message: endInOneLine(message, 1000) };
  return undefined;
}
