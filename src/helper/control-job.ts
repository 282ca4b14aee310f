import { existsSync } from 'node:fs';
import { JobError } from '../shared/errors.ts';
import type { JobKey } from '../shared/job-key.ts';
import { requireOwner } from './identify-caller.ts';
import type { HelperContext } from './open-context.ts';
import { openStoreOf } from './open-context.ts';
import { readState } from './release-node.ts';
import { localStoreSocket } from './run-directory.ts';
import { steerings, steerJob } from './steer-job.ts';

/**
 * Suspends, resumes or ends a job on all its hosts, and returns when each of them has followed; false when there is no
 * such job. To be called on any of its hosts. Repeat-safe. Fails as `steerJob` does.
 */
export async function controlJob(context: HelperContext, job: JobKey, action: string): Promise<boolean> {
  const steering = steerings.find((each) => each === action);
  if (steering === undefined) {
    throw new JobError({
      code: 'USAGE',
      message: `"${action.slice(0, 40)}" is no action.`,
      hint: `Known: ${steerings.join(', ')}.`,
    });
  }
  const { site } = context;
  // Without a store of its own a site has jobs on one host only: this one is not here, or over.
  if (site.etcd.endpoints.length === 0 && !existsSync(localStoreSocket(job))) return false;
  const store = await openStoreOf(site, job);
  try {
    const { plan, finish } = await readState(context, store, job);
    if (plan === undefined || finish === 'absent') return false;
    requireOwner(context.caller, plan.user.uid, job);
    context.audit.record('job-controlled', { job, action, hosts: plan.nodes.map(({ host }) => host) });
    await steerJob({ site, store, plan }, steering);
    return true;
  } finally {
    await store.close();
  }
}
