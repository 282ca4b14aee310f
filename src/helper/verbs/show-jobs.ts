import { requireJobKey } from '../../contract/job-key.ts';
import { toJsonLine } from '../../values/json-line.ts';
import type { HelperVerb } from './helper-verb.ts';

export const showJobsVerb: HelperVerb = {
  name: 'show-jobs',
  does: 'the jobs in containers that are open, or all that is known of one, as JSON lines; users see their own',
  words: [{ name: 'job', meaning: 'job id, as 772 or 772_3', isOptional: true }],
  options: {},
  run: async ({ words: [text], openContext }) => {
    const job = text === undefined ? undefined : requireJobKey(text);
    const { listJobs } = await import('../show/list-jobs.ts');
    const { inspectJob } = await import('../show/inspect-job.ts');
    const context = await openContext();
    const lines = job === undefined ? await listJobs(context) : await inspectJob(context, job);
    context.audit.allow(context.caller.kind === 'root' ? 'root' : 'owner');
    for (const line of lines) process.stdout.write(toJsonLine(line));
  },
};
