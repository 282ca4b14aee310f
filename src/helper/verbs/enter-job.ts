import { requireJobKey } from '../../contract/job-key.ts';
import { JobError } from '../../values/errors.ts';
import { requireStream } from '../caller/require-stream.ts';
import type { HelperVerb } from './helper-verb.ts';
import { jobWord } from './helper-verb.ts';

/** Opens a terminal in a job's container. */
export const enterJobVerb: HelperVerb = {
  name: 'enter-job',
  does: 'run a shell or a program in the container of a running job on this host, for its owner; called by shell',
  words: [jobWord, { name: 'node', meaning: 'index of the node, from 0; it must be on this host' }],
  options: {},
  isLong: true,
  run: async ({ words: [text = '', node = ''], openContext }) => {
    const job = requireJobKey(text);
    if (!/^(?:0|[1-9][0-9]{0,5})$/.test(node)) throw noIndex(node);
    requireStream(0);
    const { enterJob } = await import('../enter/enter-job.ts');
    process.exitCode = await enterJob(await openContext(), job, Number(node));
  },
};

function noIndex(node: string): JobError {
  return new JobError({
    code: 'USAGE',
    message: `"${node.slice(0, 40)}" is not the index of a node.`,
    hint: 'Nodes are counted from 0.',
  });
}
