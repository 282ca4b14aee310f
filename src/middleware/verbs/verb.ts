import type { Command } from 'commander';

/** One call of a verb, its options and words parsed. */
export interface VerbCall {
  /** Its own definition: `opts()` gives the options, `args` the words. */
  readonly called: Command;
  /** What stood after `--`: the user's command, in which nobody looks for options of ours. */
  readonly command: readonly string[];
  readonly program: Command;
}

/** A verb of the program: one file each in this folder, and a line in `known-verbs.ts`. */
export interface Verb {
  /** As it is called: `explain`, or two words below one of them: `config check`. */
  readonly name: string;
  readonly description: string;
  /** Called by our own hooks, and shown by no help. */
  readonly isHidden?: boolean;
  /** Its command stands after `--`: a word before that is a mistake, and is told as one. */
  readonly takesCommand?: boolean;
  /** Adds options and arguments. */
  define?(verb: Command): void;
  /** Does it; resolves to the exit status. What it needs is loaded here: every job's start waits for this program. */
  run(call: VerbCall): Promise<number>;
}
