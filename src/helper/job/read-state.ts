import type { JobKey } from '../../contract/job-key.ts';
import { jobRange } from '../../contract/kvs-keys.ts';
import type { Store } from '../../ports/store.ts';
import type { HelperContext } from '../open-context.ts';
import type { JobState } from './job-state.ts';
import { parseJobState } from './job-state.ts';

/** The job as its keys say now. Fails with `STORE_UNREACHABLE`, and with `PLAN_UNREADABLE` when another release wrote its plan. */
export async function readState(context: HelperContext, store: Store, job: JobKey): Promise<JobState> {
  const { keyPrefix } = context.site.site;
  return parseJobState(keyPrefix, job, await store.read(jobRange(keyPrefix, job)));
}
