import { JobError } from '../values/errors.ts';
import type { InputFacts } from './look-at-input.ts';

export interface InputDecision {
  /** True when the command gets our standard input; else its own is empty. */
  readonly isPassed: boolean;
  /** For the user: that there is something which the command does not get. */
  readonly note?: string;
}

const empty: InputDecision = { isPassed: false };
const passed: InputDecision = { isPassed: true };

/**
 * What becomes of our standard input. Unless the user says so (`wish`), the command gets a file of which nobody has read
 * anything yet, and what was given to this very call. All else is left to the surrounding script, as in
 * `while read …; do … done`. Fails with `USAGE` when it is wanted and there is none.
 */
export function decideInput(wish: boolean | undefined, facts: InputFacts): InputDecision {
  if (wish === false) return empty;
  if (wish === true) {
    if (facts.kind === 'closed' || facts.kind === 'directory') throw unreadable(facts.kind);
    return facts.kind === 'null' ? empty : passed;
  }
  if (['closed', 'directory', 'null', 'terminal'].includes(facts.kind)) return empty;
  return facts.kind === 'file' ? decideFile(facts) : decideStream(facts);
}

/** A shell that reads the lines of a loop, or its own commands, has read some when it comes to us. */
function decideFile({ readBytes, unreadBytes, owner }: InputFacts): InputDecision {
  if (unreadBytes === 0) return empty;
  if (readBytes === 0 || owner === 'call') return passed;
  return owner === 'script' ? empty : left;
}

/** What has been read of a stream nobody tells. One that the scheduler has brought seldom has anything in it. */
function decideStream({ owner, isMadeInside, hasWaiting }: InputFacts): InputDecision {
  if (owner !== 'script') return passed;
  return isMadeInside || hasWaiting ? left : empty;
}

const left: InputDecision = {
  isPassed: false,
  note: 'standard input belongs to the surrounding script and is not read: --stdin gives it to the command, --no-stdin turns this note off',
};

function unreadable(kind: 'closed' | 'directory'): JobError {
  return new JobError({
    code: 'USAGE',
    message: `Standard input is wanted (--stdin or HPCDJ_STDIN), but it is ${kind === 'closed' ? 'closed' : 'a directory'}.`,
    hint: 'Give the command a file by < FILE, or leave out --stdin.',
  });
}

const words: Readonly<Record<string, boolean>> = {
  yes: true,
  true: true,
  '1': true,
  no: false,
  false: false,
  '0': false,
};

/** What HPCDJ_STDIN says; undefined when it is not set or empty. Fails with `USAGE`. */
export function readInputWish(text: string | undefined): boolean | undefined {
  if (text === undefined || text === '') return undefined;
  const wish = Object.hasOwn(words, text) ? words[text] : undefined;
  if (wish !== undefined) return wish;
  throw new JobError({
    code: 'USAGE',
    message: `HPCDJ_STDIN is ${JSON.stringify(text.slice(0, 60))}.`,
    hint: 'Set it to yes or no, or unset it.',
  });
}
