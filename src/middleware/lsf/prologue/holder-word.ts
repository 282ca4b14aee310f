import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import * as z from 'zod';
import { jobEndSchema } from '../../../contract/helper-events.ts';
import type { JobEnd } from '../../../contract/helper-events.ts';
import { toJsonLine } from '../../../values/json-line.ts';

/** What the process that holds a job says to the pre-execution command that has started it, one JSON object a line. */
export const holderWordSchema = z.union([
  /** Every container runs and is ready for the script. */
  z.strictObject({ ready: z.literal(true) }),
  /** The job is over, before its script or after it; nothing of it is held. */
  z.strictObject({ ended: jobEndSchema }),
]);

/** The answer to `ready`: from now on the holder outlives the pre-execution command. */
export const adoption = 'adopt';

/** The holder's side of its two pipes. */
export interface PreExecLink {
  say(word: { readonly ready: true } | { readonly ended: JobEnd }): void;
  /** Aborts when the pre-execution command has gone without adopting the job: LSF will not start it. */
  readonly lost: AbortSignal;
}

/** Speaks to the pre-execution command; that it hangs up is no failure of ours. */
export function linkToPreExec(input: Readable, output: Writable): PreExecLink {
  const lost = new AbortController();
  let isAdopted = false;
  createInterface({ input })
    .on('line', (line) => (isAdopted ||= line === adoption))
    .on('close', () => isAdopted || lost.abort());
  output.on('error', () => undefined);
  return { say: (word) => void output.write(toJsonLine(word)), lost: lost.signal };
}
