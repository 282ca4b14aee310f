import type { HelperEvent } from '../../contract/helper-events.ts';
import { toJsonLine } from '../../values/json-line.ts';
import { requireStream } from '../caller/require-stream.ts';
import type { HelperVerb } from './helper-verb.ts';

const emit = (event: HelperEvent): void => void process.stdout.write(toJsonLine(event));

/** Keeps a job from its request to its release. */
export const openJobVerb: HelperVerb = {
  name: 'open-job',
  does: 'check, claim and keep a job; the request comes on standard input, events go to standard output as JSON lines',
  words: [],
  options: {},
  isLong: true,
  run: async ({ openContext }) => {
    requireStream(0);
    const { openJob } = await import('../keeper/open-job.ts');
    await openJob(await openContext({ isStarting: true }), process.stdin, emit);
  },
  // The middleware reads events, of which a refusal is one.
  tellFailure: ({ code, message, hint, rule, exitStatus }) =>
    emit({
      ...{ event: 'refused', code, message },
      ...(hint === undefined ? {} : { hint }),
      ...(rule === undefined ? {} : { rule }),
      exitStatus,
    }),
};
