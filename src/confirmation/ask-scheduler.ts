import { boundCommand } from '../system/bound-command.ts';
import { runAsRoot } from '../system/run-as-root.ts';
import { asClause, JobError } from '../values/errors.ts';
import type { SchedulerName } from '../contract/schedulers.ts';

/** A scheduler whose command is asked as root, and the words in which its failures are told. */
export interface AskedScheduler {
  readonly name: SchedulerName;
  /** As people call it. */
  readonly label: string;
  /** The command that is asked. */
  readonly command: string;
  /** What to do when it does not answer. */
  readonly hint: string;
}

/** How a command that was asked has ended by itself. */
export interface SchedulerAnswer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One question, the command's own retries included: some commands would repeat theirs for ever. */
const usualSeconds = 10;

/**
 * Runs a scheduler's command with nothing of a caller's environment, which could name another cluster or another form of
 * the answer. Any exit status is an answer; fails with `SCHEDULER_UNREACHABLE` when there is none within 10 seconds.
 */
export async function askScheduler(
  scheduler: AskedScheduler,
  schedulerJobId: string,
  question: {
    readonly file: string;
    readonly argv: readonly string[];
    readonly environment?: Readonly<Record<string, string>>;
  },
  seconds = usualSeconds,
): Promise<SchedulerAnswer> {
  const { file, argv, environment = {} } = question;
  const result = await runAsRoot(...boundCommand(seconds, file, argv), { environment, maxBuffer: 16 * 1024 ** 2 });
  if (result.signal !== undefined && result.durationMs >= seconds * 1000)
    throw unreachable(scheduler, schedulerJobId, `no answer within ${seconds} s`);
  const { exitCode, stdout, stderr } = result;
  if (exitCode === undefined || result.isMaxBuffer)
    throw unreachable(scheduler, schedulerJobId, asClause(result.shortMessage ?? ''));
  return { exitCode, stdout, stderr };
}

/** What a failed command says of itself: its first line, or how it ended. */
export function firstWords(scheduler: AskedScheduler, { exitCode, stderr }: SchedulerAnswer): string {
  const said = stderr.trim().split('\n', 1)[0] ?? '';
  return said === '' ? `${scheduler.command} ended with status ${exitCode}` : said;
}

/** The scheduler does not answer, or not sensibly: nothing is known of the job. */
export function unreachable(scheduler: AskedScheduler, schedulerJobId: string, reason: string): JobError {
  return new JobError({
    code: 'SCHEDULER_UNREACHABLE',
    message: `${scheduler.label} could not be asked about job ${schedulerJobId}: ${reason}.`,
    hint: scheduler.hint,
  });
}

/** An answer of no known form: not to be read must never be mistaken for not to be found. */
export function unreadable(scheduler: AskedScheduler, answer: unknown): JobError {
  return new JobError({
    code: 'SCHEDULER_UNREACHABLE',
    message: `${scheduler.command} gave an answer that cannot be read: ${JSON.stringify(answer).slice(0, 400)}.`,
    hint: `Is this release of ${scheduler.label} supported? Please report the line.`,
  });
}
