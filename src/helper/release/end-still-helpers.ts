import type { JobKey } from '../../contract/job-key.ts';
import { lasts } from '../../system/deadline.ts';
import { signalProcess } from '../../system/signal-process.ts';
import type { HelperMark } from '../host/helper-marks.ts';
import { findMarked } from '../host/helper-marks.ts';
import type { HelperContext } from '../open-context.ts';
import type { ProcessFacts } from '../host/read-process.ts';

/** How long a helper has in each step; together less than the ten seconds after which engines give a container up. */
export interface Patience {
  /** In which a helper that works sees by itself that the job is over, and lets go. */
  readonly askAfterMs: number;
  /** In which a process that was frozen has noted the signal; what it does for that is no sign of life. */
  readonly settleMs: number;
  /** In which it must have moved: a helper that works looks around once a second. */
  readonly stillMs: number;
}

const usualPatience: Patience = { askAfterMs: 3000, settleMs: 1000, stillMs: 5000 };

/**
 * Ends helpers of this job that keep its containers from being removed because they stand still: stopped, frozen, or held
 * by a debugger. Nothing happens before `removed` has had time to abort; then the helper is asked by TERM, and one that
 * has not moved at all since is killed, for the engine cannot get rid of the output that it does not take. A helper that
 * works is never killed, however long it lasts; nor is this process. To be called only for a job that is to be released.
 */
export async function endStillHelpers(
  { audit }: Pick<HelperContext, 'audit'>,
  job: JobKey,
  {
    marks,
    removed,
    patience = usualPatience,
  }: { readonly marks: readonly HelperMark[]; readonly removed: AbortSignal; readonly patience?: Patience },
): Promise<void> {
  if (!(await lasts(patience.askAfterMs, removed))) return;
  const others = marks.filter(({ pid }) => pid !== process.pid);
  for (const mark of others) if ((await findMarked(job, mark)) !== undefined) signal(mark, 'SIGTERM');
  if (others.length === 0 || !(await lasts(patience.settleMs, removed))) return;
  let before: readonly Look[];
  let lookedAt: number;
  do {
    before = await Promise.all(others.map(async (mark) => ({ mark, facts: await findMarked(job, mark) })));
    lookedAt = performance.now();
    if (!(await lasts(patience.stillMs, removed))) return;
    // Later than that we have been stopped ourselves, with the helper perhaps: it has had no time to move.
  } while (performance.now() - lookedAt > patience.stillMs + patience.settleMs);
  for (const { mark, facts } of before) {
    const now = await findMarked(job, mark);
    if (!standsStill(facts, now)) continue;
    if (!signal(mark, 'SIGKILL')) continue;
    audit.record('helper-killed', { job, killedPid: mark.pid, state: now?.state, stillMs: patience.stillMs });
    process.stderr.write(
      `hpc-dockerjob-helper: note: ${verbOf(now)} of job ${job} (process ${mark.pid}) hung and kept its container from being removed; it was killed\n`,
    );
  }
}

interface Look {
  readonly mark: HelperMark;
  readonly facts: ProcessFacts | undefined;
}

function verbOf(facts: ProcessFacts | undefined): string {
  return facts?.argv.includes('enter-job') === true ? 'enter-job' : 'run-node';
}

/** True when the same process was there at both looks, and has done nothing between them. */
export function standsStill(before: ProcessFacts | undefined, now: ProcessFacts | undefined): boolean {
  return now !== undefined && before?.pulse === now.pulse;
}

/** A helper is of the same user as this process, which is root. */
function signal({ pid, startTicks }: HelperMark, name: 'SIGTERM' | 'SIGKILL'): boolean {
  return signalProcess({ pid, since: startTicks }, { uid: process.geteuid?.() ?? 0, signal: name });
}
