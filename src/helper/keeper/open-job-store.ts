import { createMemoryStore } from '../../local-store/memory-store.ts';
import { serveStore } from '../../local-store/serve-store.ts';
import type { ConfirmedJob } from '../../ports/scheduler.ts';
import type { Store } from '../../ports/store.ts';
import type { JobRequest } from '../../contract/job-request.ts';
import { jobStoreOf } from '../job/open-store.ts';
import type { HelperContext } from '../open-context.ts';
import { openSharedStore } from '../open-context.ts';
import {
  createJobRunDirectory,
  forgetJobHere,
  localStoreSocket,
  markKeptHere,
  removeNodeFiles,
} from '../host/run-directory.ts';
import { awaitReapers } from '../host/reaping-mark.ts';
import { awaitEarlierKeys, awaitEarlierStore } from './await-earlier-call.ts';
import { refuseBusy } from './claim-job.ts';

/**
 * The site's etcd, reached: a first read shows that it answers, and that the job is not open already. An earlier call in
 * this job that is being taken away is waited for.
 */
export async function reachSharedStore(
  { site }: HelperContext,
  { job, scheduler, schedulerJobId }: JobRequest,
  uid: number,
  undo: AsyncDisposableStack,
): Promise<Store> {
  const store = await openSharedStore(site);
  undo.defer(async () => await store.close());
  const jobStore = jobStoreOf(site, store, job);
  const claimant = { job, scheduler, schedulerJobId, user: { uid } };
  refuseBusy(await awaitEarlierKeys(site, jobStore, claimant), claimant);
  return store;
}

/**
 * For a job on one host: a store of our own, which that host's run-node reaches by a socket. An earlier call in this job
 * that is being taken away is waited for.
 */
export async function openLocalStore(
  { site }: HelperContext,
  { job, schedulerJobId }: ConfirmedJob,
  undo: AsyncDisposableStack,
): Promise<Store> {
  await awaitEarlierStore(site, job);
  await awaitReapers(job);
  const store = createMemoryStore();
  undo.defer(async () => await store.close());
  await createJobRunDirectory(job, schedulerJobId);
  const server = await serveStore(store, localStoreSocket(job));
  undo.defer(async () => {
    // All that is ours goes while the path is: the next call in this job may come the moment after.
    await removeNodeFiles(job);
    await server.close();
    await forgetJobHere(job);
  });
  return store;
}

/** Should we be killed, the epilog finds by this that there are keys to be removed. */
export async function leaveTrace(
  { job, schedulerJobId }: ConfirmedJob,
  undo: AsyncDisposableStack,
  claims: AsyncDisposableStack,
): Promise<void> {
  await awaitReapers(job);
  await createJobRunDirectory(job, schedulerJobId);
  undo.defer(async () => await forgetJobHere(job));
  claims.use(await markKeptHere(job));
}
