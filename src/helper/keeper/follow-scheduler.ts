import { setTimeout as pause } from 'node:timers/promises';
import type { SchedulerAuthority } from '../../ports/scheduler.ts';
import { asJobError, JobError } from '../../values/errors.ts';
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

type Followed = Pick<JobPlan, 'job' | 'schedulerJobId' | 'command' | 'user' | 'nodes'>;
type Asked = Pick<SchedulerAuthority, 'confirmJob' | 'isOver'>;

/**
 * Aborts with a `JobError` once the scheduler has said twice that the job is over or at its end, or has not all hosts of
 * the plan any more: users can have their jobs started again elsewhere. Where no cgroup of the scheduler holds us, nothing
 * else ends a job that was opened beside the batch script: it would keep the hosts after the job's end. A scheduler that
 * does not answer says nothing. Looks until `over` aborts.
 */
export function endWithScheduler(
  authority: Asked,
  plan: Followed,
  over: AbortSignal,
  commandCame: Promise<unknown> = Promise.resolve(),
  { everyMs, beforeScriptMs }: LookPace = { everyMs: usualEveryMs, beforeScriptMs: beforeScriptEveryMs },
): AbortSignal {
  const { job, command } = plan;
  const ended = new AbortController();
  let isAwaited = command.kind === 'later';
  void commandCame.then(() => (isAwaited = false));
  const look = async (): Promise<void> => {
    let times = 0;
    while (times < 2) {
      await pause(isAwaited ? beforeScriptMs : everyMs, undefined, { signal: over, ref: false });
      times = (await hasLeft(authority, plan).catch(() => false)) ? times + 1 : 0;
    }
    ended.abort(
      new JobError({
        code: 'TERMINATED',
        message: `The scheduler says that job ${job} is over, or has other hosts now.`,
        hint: 'A job in containers lasts no longer than its batch script, and stays on its hosts.',
      }),
    );
  };
  look().catch(() => undefined); // `over` aborted
  return ended.signal;
}

/**
 * True when the job is not on all hosts of its plan any more, or its scheduler is ending it: by a method of the user's that
 * can last for ever. Fails when the scheduler does not answer.
 */
async function hasLeft(authority: Asked, { schedulerJobId, user, nodes }: Followed): Promise<boolean> {
  try {
    const { hosts } = await authority.confirmJob(schedulerJobId, user.uid);
    return !nodes.every(({ host }) => hosts.includes(host));
  } catch (thrown) {
    return asJobError(thrown).code === 'TERMINATED' || (await authority.isOver(schedulerJobId));
  }
}
