import type { JobError } from '../../values/errors.ts';
import type { ContextOptions, HelperContext } from '../open-context.ts';

/** A word that stands after a verb, in its place. */
export interface VerbWord {
  readonly name: string;
  readonly meaning: string;
  readonly isOptional?: true;
  /** Of the last word: any number of it. */
  readonly isRepeated?: true;
}

/** An option of a verb; none widens what a caller may do. */
export interface VerbOption {
  readonly meaning: string;
  /** What the value is; undefined for an option without one. */
  readonly value?: string;
}

/** What was given on the command line, checked against the verb's own table. */
export interface VerbCall {
  /** One for each word that was given, in order: at least those that are not optional. */
  readonly words: readonly string[];
  /** Values of the options that were given; `true` for those without a value. */
  readonly options: Readonly<Record<string, string | true>>;
  /** Loads the site's policy and says who calls; asked for once the words are known to be in order. */
  readonly openContext: (options?: ContextOptions) => Promise<HelperContext>;
}

/** A verb of the helper: an entry of the table `helperVerbs`, and all that the command line knows of it. */
export interface HelperVerb {
  readonly name: string;
  /** One line of the help. */
  readonly does: string;
  readonly words: readonly VerbWord[];
  readonly options: Readonly<Record<string, VerbOption>>;
  /** True for a verb that lasts as long as a job: its end is recorded as well. */
  readonly isLong?: true;
  /** How a failure is told; without it, as a line on standard error. */
  readonly tellFailure?: (error: JobError) => void;
  /** Does it, and says so on standard output. Loads what it needs: every host of a job waits for this program. Sets the exit status when it is not 0; fails with a `JobError`. */
  readonly run: (call: VerbCall) => Promise<void>;
}

/** The word that names a job in every verb. */
export const jobWord: VerbWord = { name: 'job', meaning: 'job id, as 772 or 772_3' };
