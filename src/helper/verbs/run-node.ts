import { requireJobKey } from '../../contract/job-key.ts';
import { runNode } from '../node/run-node.ts';
import type { HelperVerb } from './helper-verb.ts';
import { jobWord } from './helper-verb.ts';

export const runNodeVerb: HelperVerb = {
  name: 'run-node',
  does: "run this host's container of an open job until the job ends",
  words: [jobWord, { name: 'launch', meaning: 'id of the launch, as the middleware has made it' }],
  options: {},
  run: async ({ words: [job = '', launch = ''], openContext }) =>
    await runNode(await openContext(), requireJobKey(job), launch),
};
