import type { JobKey } from '../../contract/job-key.ts';
import { lasts } from '../../system/deadline.ts';
import { findHolders } from '../../system/open-files.ts';
import type { KnownProcess } from '../../system/signal-process.ts';
import { signalProcess } from '../../system/signal-process.ts';
import { readProcess } from '../host/read-process.ts';
import type { RootMark } from '../host/root-marks.ts';
import type { HelperContext } from '../open-context.ts';
import { chaseAfter, chaseHolder } from './chase-holder.ts';

/** Together well below the ten seconds after which engines give a container up. */
export interface HolderPatience {
  /** In which an engine removes a container into which nobody writes. */
  readonly askAfterMs: number;
  readonly lookEveryMs: number;
  /** Looks at which who does nothing is spared: a shell that stands there. */
  readonly sparingLooks: number;
}

const usualPatience: HolderPatience = { askAfterMs: 3000, lookEveryMs: 1000, sparingLooks: 3 };

type Audited = Pick<HelperContext, 'audit'>;

/**
 * Ends processes of the job's user on this host that keep a container from being removed: they have a directory of it open,
 * and make files there as fast as the engine takes them away. Nothing happens before `removed` has had time to abort. A
 * process is killed when it has done something since the look before, or still stands there after some looks; never
 * one of another user. To be called only for a job that is to be released. Never fails.
 */
export async function endDirectoryHolders(
  context: Audited,
  job: JobKey,
  {
    roots,
    removed,
    patience = usualPatience,
  }: { readonly roots: readonly RootMark[]; readonly removed: AbortSignal; readonly patience?: HolderPatience },
): Promise<void> {
  let before = new Map<string, string | undefined>();
  let wait = patience.askAfterMs;
  for (let looks = 1; await lasts(wait, removed); looks += 1) {
    const now = new Map<string, string | undefined>();
    await killHolders(context, job, roots, async (holder) => {
      const key = `${holder.pid} ${holder.since}`;
      const pulse = (await readProcess(holder.pid))?.pulse;
      now.set(key, pulse);
      return removed.aborted || (looks <= patience.sparingLooks && (!before.has(key) || before.get(key) === pulse));
    });
    before = now;
    wait = patience.lookEveryMs;
  }
}

/** In which whoever forks without a pause is met, again and again. */
const mostChaseMs = 3000;

/** The same at once, after an engine has failed to remove a container. Returns how many were killed. */
export async function endDirectoryHoldersNow(
  context: Audited,
  job: JobKey,
  roots: readonly RootMark[],
): Promise<number> {
  const begunAt = performance.now();
  let killed = await killHolders(context, job, roots, () => Promise.resolve(false));
  const chase = chaseAfter(performance.now() - begunAt);
  for (const mark of roots) {
    for (let isMet = true; isMet && performance.now() - begunAt < mostChaseMs;) {
      const met = await chaseHolder(mark, chase);
      isMet = met !== undefined && kill(context, job, met, mark.uid);
      killed += isMet ? 1 : 0;
    }
  }
  return killed;
}

async function killHolders(
  context: Audited,
  job: JobKey,
  roots: readonly RootMark[],
  isSpared: (holder: KnownProcess) => Promise<boolean>,
): Promise<number> {
  let killed = 0;
  for (const { uid, root } of roots)
    for (const holder of await findHolders(root, uid))
      if (!(await isSpared(holder)) && kill(context, job, holder, uid)) killed += 1;
  return killed;
}

function kill({ audit }: Audited, job: JobKey, holder: KnownProcess, uid: number): boolean {
  if (!signalProcess(holder, { uid })) return false;
  audit.record('holder-killed', { job, killedPid: holder.pid });
  process.stderr.write(
    `hpc-dockerjob-helper: note: process ${holder.pid} had a directory of a container of job ${job} open and kept it from being removed; it was killed\n`,
  );
  return true;
}
