import { asClause } from '../../values/errors.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { labels } from '../../contract/labels.ts';
import { removeEmptyCgroups, removeJobCgroups } from '../../cgroup/sweep.ts';
import { networkNames } from '../../network/known-networks.ts';
import type { NetworkName } from '../../network/known-networks.ts';
import { listHelperMarks, removeHelperMarks } from '../host/helper-marks.ts';
import type { HelperContext } from '../open-context.ts';
import { jobRunDirectory, removeNodeFiles } from '../host/run-directory.ts';
import { endStillHelpers } from './end-still-helpers.ts';
import { endDirectoryHolders, endDirectoryHoldersNow } from './end-directory-holders.ts';
import { endRootHolders } from './end-root-holders.ts';
import { endTracers } from './end-tracers.ts';
import { listRootMarks } from '../host/root-marks.ts';
import type { RootMark } from '../host/root-marks.ts';
import { listCgroupMarks } from '../host/cgroup-marks.ts';

/** What is known of a job at its normal end by its plan. Left out: looked for. */
export interface ReleaseScope {
  /** The only node that the job has on this host. */
  readonly nodeIndex?: number;
  /** The only kind of network that it has. */
  readonly network?: NetworkName;
}

/**
 * Takes away all that a job has on this host: containers by label and name, then networks, then files. What the plan does
 * not tell is searched. The job's run directory stays as the trace until the store has been told (`forgetJobHere`), and
 * its nodes' files until their containers are gone. Repeat-safe. Returns what could not be taken away; one failure does not stop the rest.
 */
export async function releaseHere(
  context: HelperContext,
  job: JobKey,
  { nodeIndex, network }: ReleaseScope = {},
): Promise<readonly string[]> {
  const leftovers: string[] = [];
  const cgroups = new Map<string, readonly string[] | undefined>();
  for (const { path, schedulers } of await listCgroupMarks(job)) cgroups.set(path, schedulers);
  const attempt = async (what: string, action: () => Promise<void>): Promise<void> => {
    try {
      await action();
    } catch (error) {
      leftovers.push(`${what}: ${asClause(error)}`);
    }
  };
  const runDirectory = jobRunDirectory(job);
  // Before the containers: a helper whose mark comes later holds none of those that are found.
  const marks = await listHelperMarks(runDirectory);
  const roots = await listRootMarks(job);
  await attempt('containers', async () => {
    const found = await context.engine.findContainers({ [labels.job]: job });
    for (const { labels: own } of found)
      cgroups.set(own[labels.cgroup] ?? '', own[labels.schedulerCgroups]?.split(' ').filter(Boolean));
    const removed = new AbortController();
    const helpersEnded = attempt('helper', async () => {
      await endStillHelpers(context, job, { marks, removed: removed.signal });
    });
    const uids = new Set(found.map(({ labels: own }) => Number(own[labels.uid])).filter((uid) => uid > 0));
    const tracersEnded = endTracers(context, job, { uids, removed: removed.signal });
    const holdersEnded = endDirectoryHolders(context, job, { roots, removed: removed.signal });
    await Promise.all(
      found.map(
        async ({ id, name }) =>
          await attempt(`container ${name}`, async () => await removeContainer(context, job, id, roots)),
      ),
    );
    removed.abort();
    await Promise.all([helpersEnded, tracersEnded, holdersEnded]);
  });
  const containersAreGone = leftovers.length === 0;
  const holdersEnded = attempt('open files', async () => {
    if (!containersAreGone) return;
    await endRootHolders(context, job, roots);
    await removeHelperMarks(runDirectory, marks);
  });
  // A network outlives its containers' removal, never the other way round.
  for (const name of network === undefined ? networkNames : [network]) {
    await attempt(`${name} network`, async () => {
      const driver = context.network(name);
      await driver.release(job);
      // Of the plan's own network, which this run has made, a release without a failure is proof enough.
      if (network === undefined) leftovers.push(...(await driver.findLeftovers(job)));
    });
  }
  await holdersEnded;
  // By a node's marks a later release finds who keeps its container's files open, and its cgroups.
  if (containersAreGone) await attempt('runtime files', async () => await removeNodeFiles(job, nodeIndex));
  for (const [path, schedulers] of cgroups) {
    await removeEmptyCgroups(path, schedulers);
    await removeSchedulersOwn(context, path);
  }
  return leftovers;
}

/** An engine gives up a directory that is never empty: it is asked again as long as somebody is found who fills it. */
const mostTries = 4;

async function removeContainer(
  context: HelperContext,
  job: JobKey,
  id: string,
  roots: readonly RootMark[],
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await context.engine.removeContainer(id);
      return;
    } catch (error) {
      if (tries >= mostTries || (await endDirectoryHoldersNow(context, job, roots)) === 0) throw error;
    }
  }
}

/**
 * The scheduler has given up the cgroup of a job whose container outlived its steps. Root alone takes it away, in an
 * epilog, a round of `reap` or by an operator's word: then the job is over, and no step of it is about to begin here.
 */
async function removeSchedulersOwn({ caller, authorities }: HelperContext, path: string): Promise<void> {
  if (caller.kind !== 'root' || path === '') return;
  const job = authorities.findJobCgroup(`0::${path}`) ?? authorities.findJobCgroup(`1:any:${path}`);
  if (job !== undefined) await removeJobCgroups(job.path);
}
