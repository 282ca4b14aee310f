import { requireJobKey } from '../../contract/job-key.ts';
import type { HelperVerb } from './helper-verb.ts';
import { jobWord } from './helper-verb.ts';
import { say } from './say.ts';

export const controlJobVerb: HelperVerb = {
  name: 'control-job',
  does: 'suspend, resume or end a job on all its hosts, and wait until they have followed',
  words: [jobWord, { name: 'action', meaning: 'suspend, resume or stop' }],
  options: {},
  run: async ({ words: [text = '', action = ''], openContext }) => {
    const job = requireJobKey(text);
    const { controlJob } = await import('../control/control-job.ts');
    say([await controlJob(await openContext(), job, action)]);
  },
};
