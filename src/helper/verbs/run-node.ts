import { requireJobKey } from '../../contract/job-key.ts';
import type { HelperVerb } from './helper-verb.ts';
import { jobWord } from './helper-verb.ts';

export const runNodeVerb: HelperVerb = {
  name: 'run-node',
  does: "run this host's container of an open job until the job ends",
  words: [jobWord, { name: 'launch', meaning: 'id of the launch, as the middleware has made it' }],
  options: {},
  isLong: true,
  run: async ({ words: [text = '', launch = ''], openContext }) => {
    const job = requireJobKey(text);
    const { runNode } = await import('../node/run-node.ts');
    await runNode(await openContext({ isStarting: true }), job, launch);
  },
};
