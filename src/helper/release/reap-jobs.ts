import { asClause, JobError } from '../../values/errors.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { parseJobKey } from '../../contract/job-key.ts';
import { siteRange } from '../../contract/kvs-keys.ts';
import type { HeldSubnet } from '../job/claim-subnet.ts';
import { freeHeld, readSubnetClaims } from '../job/claim-subnet.ts';
import { findAllJobsHere } from './find-jobs-here.ts';
import { findOverdueJobs } from './find-overdue-jobs.ts';
import type { JobState } from '../job/job-state.ts';
import { rootShellHint } from '../caller/identify-caller.ts';
import type { HelperContext } from '../open-context.ts';
import { openSharedStore } from '../open-context.ts';
import { writePendingRecord } from '../records/pending-record.ts';
import { findOwnNodeIfAny } from '../host/find-own-node.ts';
import { markReaping } from '../host/reaping-mark.ts';
import { listRunDirectories } from '../host/run-directory.ts';
import { findUnreleased } from '../job/find-unreleased.ts';
import { jobStoreOf, openStore } from '../job/open-store.ts';
import type { JobStore, SiteStore } from '../job/job-store.ts';
import { isNamedHere, leaveEarlierRuns, readEarlierRuns } from '../job/earlier-runs.ts';
import { removeRunDirectory } from '../host/run-directory.ts';
import { releaseHere } from './release-here.ts';
import { removeKeys, removeOrphanKeys } from './release-keys.ts';
import { sweepOldCgroups } from './sweep-old-cgroups.ts';
import { releaseNode } from './release-node.ts';

export interface Reaped {
  readonly released: readonly JobKey[];
  /** What is still on this host of jobs that are over. */
  readonly leftovers: readonly string[];
  /** What was left alone although it may be over, and why. */
  readonly notes: readonly string[];
  /** What is left of jobs that are over and could not be finished in this round, and why. */
  readonly unfinished: readonly string[];
}

/** A claim without a plan is of an `open-job` at work, or of one that died; none works as long as this. */
const orphanAgeMs = 600_000;

/**
 * Finishes the release of jobs whose own programs, and epilogs, could not: of those with anything on this host, and of
 * those whose keys are still in the store. Touches a job only when nobody keeps it (no FINISH=FALSE under a lease) and
 * the scheduler says that it is over, or when it has run for longer than its application may; the keys go when each of its nodes is released or never began. Repeat-safe, from
 * any host at any time. Fails with `STORE_UNREACHABLE` when the site's store is away, after this host has been cleaned.
 */
export async function reapJobs(context: HelperContext): Promise<Reaped> {
  if (context.caller.kind !== 'root') {
    throw new JobError({
      code: 'NOT_PERMITTED',
      message: 'Only root may reap.',
      hint: `Use release-job for your own. ${rootShellHint}`,
    });
  }
  context.audit.allow('root');
  const { jobs: here, unasked } = await findAllJobsHere(context);
  const nothing = { released: [] as JobKey[], leftovers: [] as string[], unfinished: [] as string[] };
  const round = { context, here, ...nothing, notes: [...unasked] };
  await endOverdue(round);
  for (const [job, schedulerJobId] of here) await attempt(round, job, () => reapHere(round, job, schedulerJobId));
  await sweepOldCgroups(context);
  if (context.site.etcd.endpoints.length > 0) {
    await using undo = new AsyncDisposableStack();
    const store = await openSharedStore(context.site);
    undo.defer(async () => await store.close());
    const shared = { store, prefix: context.site.site.keyPrefix };
    const claims = await readSubnetClaims(shared);
    for (const held of claims) {
      const job = parseJobKey(held.claim.job);
      if (job !== undefined)
        await attempt(round, job, () => reapKeys(round, jobStoreOf(context.site, store, job), held));
    }
    const claimers = new Set(claims.map(({ claim }) => claim.job));
    for (const job of await findJobsByKeys(shared))
      if (!claimers.has(job))
        await attempt(round, job, () => reapKeys(round, jobStoreOf(context.site, store, job), undefined));
  }
  const { leftovers, notes } = round;
  const released = [...new Set(round.released)];
  const unfinished = [...new Set(round.unfinished)];
  context.audit.record('reaped', { released, leftovers, notes, unfinished });
  return { released, leftovers, notes, unfinished };
}

interface Round {
  readonly context: HelperContext;
  readonly here: ReadonlyMap<JobKey, string | undefined>;
  readonly released: JobKey[];
  readonly leftovers: string[];
  readonly notes: string[];
  readonly unfinished: string[];
}

/** One job that cannot be judged does not keep the others from being released. */
async function attempt(round: Round, job: JobKey, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    round.notes.push(`job ${job} is left alone: ${asClause(error)}`);
  }
}

/** Jobs past their limit, whoever keeps them: a keeper would have ended them if it could. */
async function endOverdue(round: Round): Promise<void> {
  const { context, notes, released, leftovers } = round;
  let overdue: ReadonlySet<JobKey>;
  try {
    overdue = await findOverdueJobs(context);
  } catch (error) {
    notes.push(`whether a job has run for too long was not to be found out: ${asClause(error)}`);
    return;
  }
  for (const job of overdue) {
    await attempt(round, job, async () => {
      context.audit.record('job-overdue', { job });
      const here = await releaseNode(context, job);
      notes.push(`job ${job} is ended: it has run for longer than its application may, its keeper hangs`);
      leftovers.push(...here.leftovers);
      if (here.leftovers.length === 0) released.push(job);
    });
  }
}

/** A job with something on this host. */
async function reapHere(round: Round, job: JobKey, schedulerJobId: string | undefined): Promise<void> {
  const { context } = round;
  await using _mark = await markReaping(job);
  const state = await readStateIfPossible(context, job);
  if (state?.finish === 'running') {
    if (state.plan !== undefined && findOwnNodeIfAny(state.plan) === undefined) await reapEarlierRun(round, job);
    return;
  }
  const id = state?.plan?.schedulerJobId ?? schedulerJobId;
  if (id === undefined) {
    round.notes.push(
      `job ${job} is left alone: the scheduler's id of it is not known. If it is over: release-node ${job}`,
    );
    return;
  }
  if (!(await context.authorities.isOver(id, state?.plan?.scheduler))) return;
  await finishHere(round, job);
}

/** What can be finished here, and the rest in words. */
async function finishHere(round: Round, job: JobKey): Promise<void> {
  const { leftovers, untold, unfinished } = await releaseNode(round.context, job, { isReaping: true });
  const files = (await listRunDirectories()).has(job) && untold === undefined && leftovers.length === 0;
  const left = [untold, unfinished, files ? `the run directory of job ${job} is in use` : undefined];
  const open = left.filter((each) => each !== undefined);
  round.leftovers.push(...leftovers);
  round.unfinished.push(...open);
  if (leftovers.length === 0 && open.length === 0) round.released.push(job);
}

/** The job runs again, on other hosts: what an earlier run has left here is nobody's, once that run is known to be over. */
async function reapEarlierRun({ context, leftovers, released }: Round, job: JobKey): Promise<void> {
  await using jobStore = await openStore(context.site, job);
  const isNamed = (await readEarlierRuns(jobStore)).some((run) => run.job === job && isNamedHere(run));
  if (!isNamed) return;
  const left = await releaseHere(context, job);
  leftovers.push(...left);
  if (left.length > 0) return;
  await leaveEarlierRuns(jobStore);
  await writePendingRecord(context.site.records, job);
  await removeRunDirectory(job);
  released.push(job);
}

/** Undefined when the store is away: for what is on this host the scheduler's word is enough. */
async function readStateIfPossible(context: HelperContext, job: JobKey): Promise<JobState | undefined> {
  try {
    await using jobStore = await openStore(context.site, job);
    return await jobStore.read();
  } catch {
    return undefined;
  }
}

/** Every job with any key, whatever else of it is missing. */
async function findJobsByKeys({ store, prefix }: SiteStore): Promise<ReadonlySet<JobKey>> {
  const range = siteRange(prefix);
  const keys = store.listKeys ? await store.listKeys(range) : (await store.read(range)).map(({ key }) => key);
  const names = keys.map((key) => parseJobKey(key.slice(prefix.length + 1).split('/', 1)[0] ?? ''));
  return new Set(names.filter((job) => job !== undefined));
}

/** A job with keys in the store. Each that is open has a subnet there from before its plan until after its last key: `held`. */
async function reapKeys(round: Round, jobStore: JobStore, held: HeldSubnet | undefined): Promise<void> {
  const { context } = round;
  const { job } = jobStore;
  await using _mark = await markReaping(job);
  const state = await jobStore.read();
  const { plan } = state;
  if (held !== undefined && plan?.token !== held.claim.token) {
    // Of a run whose place another one has taken: it is freed when the last of its hosts is clean.
    const earlier = (await readEarlierRuns(jobStore)).find(({ token }) => token === held.claim.token);
    if (earlier !== undefined) {
      if (isNamedHere(earlier) && !round.here.has(job)) await leaveEarlierRuns(jobStore);
      return;
    }
    // No plan of this claim: its network was never made, or is gone from every host.
    if (Date.now() - Date.parse(held.claim.since) <= orphanAgeMs) return;
    await freeHeld(jobStore.store, held);
    if (plan === undefined) await removeOrphanKeys(jobStore);
    round.released.push(job);
    return;
  }
  if (plan === undefined) {
    if (await removeOrphanKeys(jobStore)) round.released.push(job);
    return;
  }
  const own = findOwnNodeIfAny(plan);
  const isHere = round.here.has(job);
  // While it runs only the keeper's own host asks the scheduler, and only when nothing of the job is there any more.
  if (state.finish === 'running' && (own?.index !== 0 || isHere)) return;
  if (!(await context.authorities.isOver(plan.schedulerJobId, plan.scheduler))) return;
  if (state.finish === 'running') {
    round.notes.push(`job ${job} is open in the store although its scheduler says that it is over: release-job ${job}`);
    return;
  }
  // This host has nothing of it any more (or `reapHere` has named it): say so for it, it may have failed meanwhile.
  if (own !== undefined && !isHere) await finishHere(round, job);
  const after = await jobStore.read();
  if (after.plan?.token === plan.token && findUnreleased(plan, after, after.finish !== 'running').length === 0)
    await removeKeys(jobStore, plan);
  if ((await jobStore.read()).plan === undefined) round.released.push(job);
}
