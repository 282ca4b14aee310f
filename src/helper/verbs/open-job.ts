import type { HelperEvent } from '../../contract/helper-events.ts';
import { toJsonLine } from '../../values/json-line.ts';
import { requireStream } from '../caller/require-stream.ts';
import { openJob } from '../keeper/open-job.ts';
import { describeFailure } from './describe-failure.ts';
import type { HelperVerb } from './helper-verb.ts';

const emit = (event: HelperEvent): void => void process.stdout.write(toJsonLine(event));

/** Keeps a job from its request to its release. A refusal is an event like every other, and not thrown. */
export const openJobVerb: HelperVerb = {
  name: 'open-job',
  does: 'check, claim and keep a job; the request comes on standard input, events go to standard output as JSON lines',
  words: [],
  options: {},
  run: async ({ openContext }) => {
    try {
      requireStream(0);
      await openJob(await openContext(), process.stdin, emit);
    } catch (thrown) {
      const { code, message, hint, exitStatus } = describeFailure(thrown);
      emit({ event: 'refused', code, message, ...(hint === undefined ? {} : { hint }), exitStatus });
      process.exitCode = exitStatus;
    }
  },
};
