import { setTimeout as pause } from 'node:timers/promises';
import type { SchedulerAuthority } from '../../ports/scheduler.ts';
import { JobError } from '../../values/errors.ts';
import type { JobPlan } from '../../contract/job-plan.ts';

const usualEveryMs = 60_000;
/** Before the script there is no process of the job whose end could be noticed, and LSF gives its hosts to others. */
const beforeScriptEveryMs = 3000;

export interface LookPace {
  /** Between two questions while the job runs. */
  readonly everyMs: number;
  /** Between two questions until its command has come; only jobs that were opened without one. */
  readonly beforeScriptMs: number;
}

/**
 * Aborts with a `JobError` once the scheduler has said twice that the job is over. Where no cgroup of the scheduler holds
 * us, nothing else ends a job that was opened beside the batch script: it would keep the hosts after the job's end.
 * A scheduler that does not answer says nothing. Looks until `over` aborts.
 */
export function endWithScheduler(
  authority: Pick<SchedulerAuthority, 'isOver'>,
  { job, schedulerJobId, command }: Pick<JobPlan, 'job' | 'schedulerJobId' | 'command'>,
  over: AbortSignal,
  commandCame: Promise<unknown> = Promise.resolve(),
  { everyMs, beforeScriptMs }: LookPace = { everyMs: usualEveryMs, beforeScriptMs: beforeScriptEveryMs },
): AbortSignal {
  const ended = new AbortController();
  let isAwaited = command.kind === 'later';
  void commandCame.then(() => (isAwaited = false));
  const look = async (): Promise<void> => {
    let times = 0;
    while (times < 2) {
      await pause(isAwaited ? beforeScriptMs : everyMs, undefined, { signal: over, ref: false });
      times = (await authority.isOver(schedulerJobId).catch(() => false)) ? times + 1 : 0;
    }
    ended.abort(
      new JobError({
        code: 'TERMINATED',
        message: `The scheduler says that job ${job} is over.`,
        hint: 'A job in containers lasts no longer than its batch script.',
      }),
    );
  };
  look().catch(() => undefined); // `over` aborted
  return ended.signal;
}
