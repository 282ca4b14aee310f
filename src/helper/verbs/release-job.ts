import { requireJobKey } from '../../contract/job-key.ts';
import { describeJobRelease } from '../release/report-release.ts';
import type { HelperVerb } from './helper-verb.ts';
import { jobWord } from './helper-verb.ts';
import { complain, say } from './say.ts';

export const releaseJobVerb: HelperVerb = {
  name: 'release-job',
  does: 'end a job on all its hosts and remove all of it',
  words: [jobWord],
  options: { force: { meaning: 'remove keys and subnet even if hosts did not report (root only)' } },
  run: async ({ words: [text = ''], options, openContext }) => {
    const job = requireJobKey(text);
    const { releaseJob } = await import('../release/release-job.ts');
    const released = await releaseJob(await openContext(), job, { isForced: options['force'] === true });
    say(describeJobRelease(job, released));
    complain(released.leftovers);
  },
};
