import { existsSync } from 'node:fs';
import type { SiteConfig } from '../../config/site-schema.ts';
import { connectLocalStore } from '../../local-store/connect-local-store.ts';
import { createMemoryStore } from '../../local-store/memory-store.ts';
import type { Store } from '../../ports/store.ts';
import { asJobError } from '../../values/errors.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { openSharedStore } from '../open-context.ts';
import { JobStore } from './job-store.ts';
import { localStoreSocket } from '../host/run-directory.ts';

/** The job in a store that is open already; disposing it closes that store. */
export function jobStoreOf({ site }: SiteConfig, store: Store, job: JobKey): JobStore {
  return new JobStore({ store, prefix: site.keyPrefix }, job);
}

/**
 * The store that the job's keeper serves at this socket. Its calls have the deadline of the site's calls to etcd: where a
 * host is so slow that the site raised that, its keeper needs as long.
 */
export function connectKeeper({ etcd }: SiteConfig, socket: string): Store {
  return connectLocalStore(socket, { callTimeoutMs: 2 * etcd.callTimeoutMs });
}

/** The store that holds this job: the one that `open-job` serves on this host for a job on one host, else etcd. */
export async function openStore(site: SiteConfig, job: JobKey): Promise<JobStore> {
  const socket = localStoreSocket(job);
  return jobStoreOf(site, existsSync(socket) ? connectKeeper(site, socket) : await openSharedStore(site), job);
}

/**
 * The store of a job for those who wait for its end. That of a job on one host goes with its keeper, as soon as the job
 * is released: from then on it counts as empty, which is what becomes of a job's keys in etcd. Where the site has no
 * etcd a job without a store on this host is over, or another host's, and its store is empty from the start.
 */
export async function openStoreToEnd(site: SiteConfig, job: JobKey): Promise<JobStore> {
  const socket = localStoreSocket(job);
  const store = existsSync(socket) ? emptyOnceGone(connectKeeper(site, socket), socket) : await openOrEmpty(site);
  return jobStoreOf(site, store, job);
}

async function openOrEmpty(site: SiteConfig): Promise<Store> {
  return site.etcd.endpoints.length === 0 ? createMemoryStore() : await openSharedStore(site);
}

/** A keeper that is killed leaves its socket, and fails as ever: what it had on this host is not released yet. */
export function emptyOnceGone(store: Store, socket: string): Store {
  const orEmpty = async <T>(call: Promise<T>, ifGone: T): Promise<T> =>
    await call.catch((error: unknown) => {
      if (asJobError(error).code === 'STORE_UNREACHABLE' && !existsSync(socket)) return ifGone;
      throw error;
    });
  return {
    ...store,
    read: async (range) => await orEmpty(store.read(range), []),
    // Whatever was to be changed had the job's keys for its condition.
    commit: async (transaction) => await orEmpty(store.commit(transaction), false),
  };
}
