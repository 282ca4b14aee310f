import type { ConfirmedJob, SchedulerAuthority } from '../../ports/scheduler.ts';
import { asJobError, JobError } from '../../values/errors.ts';
import type { JobPlan } from '../../contract/job-plan.ts';
import { lasts } from '../../system/deadline.ts';

/**
 * A young job is asked for more often: one that lasts longer than its scheduler's job does so by about its own age, and many
 * short ones keep no more hosts than they had. Before the script there is no process of the job whose end could be noticed,
 * and LSF gives its hosts to others.
 */
export const usualPace = { everyMs: 60_000, youngMs: 5000, againMs: 5000, beforeScriptMs: 3000 };

export interface LookPace {
  /** Between two questions while the job runs, on average. */
  readonly everyMs: number;
  /** The same at its begin; then as long as the job has run, and never more than `everyMs`. */
  readonly youngMs: number;
  /** The same after an answer that the job has left. */
  readonly againMs: number;
  /** Between two questions until its command has come; only jobs that were opened without one. */
  readonly beforeScriptMs: number;
  /** From 0 to 1: a job that knew when it is asked for could be away between the questions. Default: random. */
  readonly chance?: () => number;
}

type Followed = Pick<JobPlan, 'job' | 'schedulerJobId' | 'command' | 'user' | 'nodes'>;
type Asked = Pick<SchedulerAuthority, 'confirmJob' | 'isOver'>;
/** What the scheduler said that the job has when it was opened. */
type Given = Pick<ConfirmedJob, 'slots'>;

/**
 * Aborts with a `JobError` once the scheduler has said twice in a row that the job is over or at its end, or has not all
 * that it was opened with any more: users can have their jobs started again elsewhere, or give slots back. Where no cgroup
 * of the scheduler holds us, nothing else ends a job that was opened beside the batch script: it would keep the hosts after
 * the job's end. A scheduler that does not answer says nothing. Looks until `over` aborts.
 */
export function endWithScheduler(
  authority: Asked,
  { plan, given = {} }: { readonly plan: Followed; readonly given?: Given },
  over: AbortSignal,
  commandCame: Promise<unknown> = Promise.resolve(),
  pace: LookPace = usualPace,
): AbortSignal {
  const { job, command } = plan;
  const ended = new AbortController();
  const openedAtMs = performance.now();
  let isAwaited = command.kind === 'later';
  void commandCame.then(() => (isAwaited = false));
  const look = async (): Promise<void> => {
    let times = 0;
    while (times < 2) {
      const ageMs = performance.now() - openedAtMs;
      const ms = isAwaited ? pace.beforeScriptMs : pauseMs(pace, times > 0, ageMs);
      if (!(await lasts(ms, over, { keepsAlive: false }))) return;
      times = (await hasLeft(authority, plan, given).catch(() => false)) ? times + 1 : 0;
    }
    ended.abort(
      new JobError({
        code: 'TERMINATED',
        message: `The scheduler says that job ${job} is over, or has other hosts or fewer slots now.`,
        hint: 'A job in containers lasts no longer than its batch script, and stays on its hosts.',
      }),
    );
  };
  void look();
  return ended.signal;
}

/** Before the next question to a job of that age: from half to one and a half of what it is on average. */
export function pauseMs(pace: LookPace, isInDoubt: boolean, ageMs: number): number {
  const { everyMs, youngMs, againMs, chance = Math.random } = pace;
  const average = isInDoubt ? againMs : Math.min(everyMs, Math.max(youngMs, ageMs));
  return average * (0.5 + chance());
}

/**
 * True when the job has not all of its plan's hosts any more, or fewer slots on one of them, or its scheduler is ending it: by
 * a method of the user's that can last for ever. Fails when the scheduler does not answer.
 */
async function hasLeft(authority: Asked, { schedulerJobId, user, nodes }: Followed, given: Given): Promise<boolean> {
  try {
    const { hosts, slots } = await authority.confirmJob(schedulerJobId, user.uid);
    const hasFewer = (host: string): boolean => (slots?.get(host) ?? Infinity) < (given.slots?.get(host) ?? 0);
    return !nodes.every(({ host }) => hosts.includes(host) && !hasFewer(host));
  } catch (thrown) {
    return asJobError(thrown).code === 'TERMINATED' || (await authority.isOver(schedulerJobId));
  }
}
