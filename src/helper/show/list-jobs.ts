import { existsSync } from 'node:fs';
import type { JobKey } from '../../contract/job-key.ts';
import { commandNode, parseJobKey } from '../../contract/job-key.ts';
import { labels } from '../../contract/labels.ts';
import type { ShownJob, ShownLine } from '../../contract/shown-job.ts';
import type { FoundContainer } from '../../ports/container-engine.ts';
import { within } from '../../system/deadline.ts';
import { asClause } from '../../values/errors.ts';
import { localStoreSocket } from '../host/run-directory.ts';
import { readSubnetClaims } from '../job/claim-subnet.ts';
import type { SubnetClaim } from '../job/claim-subnet.ts';
import type { JobStore } from '../job/job-store.ts';
import { connectKeeper, jobStoreOf } from '../job/open-store.ts';
import type { HelperContext } from '../open-context.ts';
import { openSharedStore } from '../open-context.ts';
import { findAllJobsHere } from '../release/find-jobs-here.ts';
import { describeJob } from './describe-job.ts';

/** Jobs whose keys are read at once. */
const batchSize = 32;
/** Of the keeper of a job on one host: one that is suspended or hangs answers nobody. */
const keeperMs = 1500;

type Asking = Pick<HelperContext, 'site' | 'caller' | 'engine' | 'authorities' | 'network'>;

/**
 * Every job in containers that is open: those of several hosts as the store tells, and those that have something on this
 * host. Users see their own, root sees all, and what is left of jobs that nobody keeps. What could not be asked becomes a
 * note; never fails for it.
 */
export async function listJobs(context: HelperContext): Promise<readonly ShownLine[]> {
  const notes: string[] = [];
  const [shared, here] = await Promise.all([listShared(context, notes), listHere(context, notes)]);
  // The store knows more of a job on several hosts than one of its hosts does.
  const jobs = new Map([...here, ...shared].map((job) => [job.job, job]));
  const own = [...jobs.values()].filter((job) => isForCaller(context, job));
  return [
    ...own.toSorted(byTime).map((job) => ({ kind: 'job', job }) as const),
    ...notes.map((message) => ({ kind: 'note', message }) as const),
  ];
}

function isForCaller({ caller }: Pick<Asking, 'caller'>, { uid }: ShownJob): boolean {
  return caller.kind === 'root' || caller.uid === uid;
}

function byTime(one: ShownJob, other: ShownJob): number {
  return (one.openedAt ?? '').localeCompare(other.openedAt ?? '') || one.job.localeCompare(other.job);
}

/** The jobs of several hosts: each has a subnet for as long as it has keys. */
async function listShared({ site, caller }: Asking, notes: string[]): Promise<readonly ShownJob[]> {
  if (site.etcd.endpoints.length === 0) return [];
  try {
    const store = await openSharedStore(site);
    await using _store = { [Symbol.asyncDispose]: async () => await store.close() };
    const claims = await readSubnetClaims({ store, prefix: site.site.keyPrefix });
    const wanted = claims.filter(({ claim }) => mayBeFor(caller, claim));
    const names = new Set(wanted.map(({ claim }) => parseJobKey(claim.job)).filter((job) => job !== undefined));
    const jobs: (ShownJob | undefined)[] = [];
    for (const batch of inBatches([...names]))
      jobs.push(
        ...(await Promise.all(batch.map(async (job) => await describeIn(jobStoreOf(site, store, job), notes)))),
      );
    return jobs.filter((job) => job !== undefined);
  } catch (error) {
    notes.push(`The store does not tell its jobs, so only those of this host are shown: ${asClause(error)}.`);
    return [];
  }
}

/**
 * False for a claim that names another user: all users' calls on all hosts would else read every job's keys, and a fault in one
 * of them would tell of it. A claim of an earlier release names nobody.
 */
export function mayBeFor(caller: Asking['caller'], { uid }: Pick<SubnetClaim, 'uid'>): boolean {
  return caller.kind === 'root' || uid === undefined || uid === caller.uid;
}

async function describeIn(jobStore: JobStore, notes: string[]): Promise<ShownJob | undefined> {
  try {
    return await describe(jobStore);
  } catch (error) {
    notes.push(`Job ${jobStore.job}: ${asClause(error)}.`);
    return undefined;
  }
}

/** By the job's control keys and its command's node: at a cost that does not grow with its nodes. Undefined for one that has just gone. */
async function describe(jobStore: JobStore): Promise<ShownJob | undefined> {
  const [control, { nodes }] = await Promise.all([jobStore.read('control'), jobStore.read(commandNode)]);
  return control.plan === undefined ? undefined : describeJob(control.plan, { ...control, nodes });
}

/** Jobs with anything on this host. One that no keeper tells of is known by its containers, and by its traces alone to root. */
async function listHere(context: Asking & HelperContext, notes: string[]): Promise<readonly ShownJob[]> {
  const { jobs, unasked } = await findAllJobsHere(context);
  if (unasked.length > 0) notes.push(`This host did not tell everything: ${unasked.join('; ')}.`);
  const containers = await context.engine.findContainers({}).catch(() => []);
  const found: ShownJob[] = [];
  for (const batch of inBatches([...jobs.keys()]))
    found.push(
      ...(await Promise.all(
        batch.map(async (job) => {
          const own = containers.find((each) => each.labels[labels.job] === job);
          return (await askKeeper(context, job)) ?? (await describeTraces(context, job, own));
        }),
      )),
    );
  return found;
}

async function askKeeper({ site }: Asking, job: JobKey): Promise<ShownJob | undefined> {
  const socket = localStoreSocket(job);
  if (!existsSync(socket)) return undefined;
  const ask = async (): Promise<ShownJob | undefined> => {
    await using jobStore = jobStoreOf(site, connectKeeper(site, socket), job);
    return await describe(jobStore);
  };
  return await within(keeperMs, ask(), undefined).catch(() => undefined);
}

async function describeTraces(
  { engine }: Asking,
  job: JobKey,
  container: FoundContainer | undefined,
): Promise<ShownJob> {
  if (container === undefined) return { job, phase: 'unknown', hosts: [], note: 'only traces of it are on this host' };
  const uid = Number(container.labels[labels.uid]);
  const activity = await engine.findActivity(container.id).catch(() => undefined);
  const isSuspended = activity?.kind === 'paused';
  return {
    job,
    phase: isSuspended ? 'suspended' : 'unknown',
    ...(Number.isSafeInteger(uid) ? { uid } : {}),
    hosts: [],
    ...(isSuspended ? {} : { note: 'its container is here, and no keeper tells of it' }),
  };
}

function inBatches<T>(items: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / batchSize) }, (_, at) =>
    items.slice(at * batchSize, (at + 1) * batchSize),
  );
}
