import type { JobKey } from '../../contract/job-key.ts';
import { requireJobKey } from '../../contract/job-key.ts';
import { isAnySchedulerJobId } from '../../contract/schedulers.ts';
import { JobError } from '../../values/errors.ts';
import type { HelperContext } from '../open-context.ts';
import { describeNodeRelease } from '../release/report-release.ts';
import type { HelperVerb } from './helper-verb.ts';
import { jobWord } from './helper-verb.ts';
import { complain, say, warn } from './say.ts';

export const releaseNodeVerb: HelperVerb = {
  name: 'release-node',
  does: 'remove what a job has on this host; for epilogs',
  words: [{ ...jobWord, isOptional: true }],
  options: { 'scheduler-job': { value: 'id', meaning: "the scheduler's own id, as an epilog knows it" } },
  run: async ({ words: [job], options, openContext }) => {
    const asked = job === undefined ? requireSchedulerJob(options['scheduler-job']) : requireJobKey(job);
    const { findJobsHere } = await import('../release/find-jobs-here.ts');
    const context = await openContext();
    const jobs = job === undefined ? await findJobsHere(context, asked) : [requireJobKey(job)];
    if (jobs.length === 0) say([`job ${asked}: nothing of it to release on this host`]);
    for (const each of jobs) await releaseOne(context, each);
  },
};

async function releaseOne(context: HelperContext, job: JobKey): Promise<void> {
  const { releaseNode } = await import('../release/release-node.ts');
  const released = await releaseNode(context, job);
  say(describeNodeRelease(job, released));
  complain(released.leftovers);
  const { untold, unfinished } = released;
  if (unfinished !== undefined) warn(`this host is clean, but ${unfinished}`);
  if (untold !== undefined) warn(`this host is clean, but the store was not told: ${untold}. See: reap`);
}

function requireSchedulerJob(id: string | true | undefined): string {
  if (typeof id === 'string' && isAnySchedulerJobId(id)) return id;
  throw new JobError({
    code: 'USAGE',
    message: 'release-node needs a job, or --scheduler-job with a job id of the scheduler.',
    hint: 'hpc-dockerjob-helper release-node --help',
  });
}
