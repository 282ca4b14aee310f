import type { JobKey } from '../../src/contract/job-key.ts';
import { JobStore } from '../../src/helper/job/job-store.ts';
import type { Store } from '../../src/ports/store.ts';

/** The job in a store of a site without a key prefix. */
export function jobStoreIn(store: Store, { job }: { readonly job: JobKey }): JobStore {
  return new JobStore({ store, prefix: '' }, job);
}
