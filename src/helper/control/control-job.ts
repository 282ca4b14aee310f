import { JobError } from '../../values/errors.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { requireOwnJob } from '../caller/require-own-job.ts';
import type { HelperContext } from '../open-context.ts';
import { openStoreToEnd } from '../job/open-store.ts';
import { steerings, steerJob } from './steer-job.ts';

const done = { suspend: 'is suspended', resume: 'is resumed', stop: 'has ended' } as const;

/**
 * Suspends, resumes or ends a job on all its hosts, and returns what each of them has done when all have followed.
 * To be called on any of its hosts. Repeat-safe. Fails as `steerJob` does.
 */
export async function controlJob(context: HelperContext, job: JobKey, action: string): Promise<string> {
  const steering = steerings.find((each) => each === action);
  if (steering === undefined) {
    throw new JobError({
      code: 'USAGE',
      message: `"${action.slice(0, 40)}" is no action.`,
      hint: `Known: ${steerings.join(', ')}.`,
    });
  }
  const { site } = context;
  const nothing = `job ${job}: no containers to ${steering}`;
  await using jobStore = await openStoreToEnd(site, job);
  const { plan, finish } = await jobStore.read();
  await requireOwnJob(context, job, plan?.user.uid);
  if (plan === undefined || finish === 'absent') return nothing;
  context.audit.allow(context.caller.kind === 'root' ? 'root' : 'owner', { action, owner: plan.user.uid });
  context.audit.record('job-controlled', { job, action, hosts: plan.nodes.map(({ host }) => host) });
  await steerJob({ site, jobStore, plan }, steering);
  return `job ${job}: ${done[steering]} on ${plan.nodes.length} of ${plan.nodes.length} hosts`;
}
