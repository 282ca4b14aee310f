import { Command } from 'commander';
import type { OwnCall } from '../../slurm/submit/find-own-call.ts';
import { asClause, JobError } from '../../values/errors.ts';
import { oneLine } from '../../values/one-line.ts';
import { defineRun } from '../verbs/define-run.ts';
import { refuseWords } from '../verbs/refuse-words.ts';
import type { RunOptions } from '../verbs/run-options.ts';

/** A call of the program as its own command line understands it. */
export interface ParsedCall {
  readonly options: RunOptions;
  readonly command: readonly string[];
  /** Variables set in front of it. */
  readonly assigned: Readonly<Record<string, string>>;
}

/**
 * The options of a call, by the very definitions of the command line; `other` for a call that runs nothing: a verb, or a
 * question for help. Fails with `USAGE` as the call would.
 */
export function parseOwnCall({ words, assignments }: OwnCall, verbs: readonly string[]): ParsedCall | 'other' {
  const separator = words.indexOf('--');
  const own = separator < 0 ? words : words.slice(0, separator);
  const parser = new Command('hpc-submit-dockerjob')
    .exitOverride()
    .helpOption(false)
    .helpCommand(false)
    .enablePositionalOptions()
    .passThroughOptions()
    .configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  defineRun(parser);
  const runs: RunOptions[] = [];
  parser.action((options: RunOptions) => void runs.push(options));
  for (const verb of verbs)
    parser.command(verb).allowUnknownOption().allowExcessArguments().passThroughOptions().helpOption(false);
  if (own.some((word) => ['--help', '-h', '--version', '-V', 'help'].includes(word))) return 'other';
  try {
    parser.parse(own, { from: 'user' });
  } catch (thrown) {
    throw usage(thrown);
  }
  const [options] = runs;
  if (options === undefined) return 'other';
  refuseWords(parser, 'hpc-submit-dockerjob');
  return {
    options,
    command: separator < 0 ? [] : words.slice(separator + 1),
    assigned: Object.fromEntries(assignments.map(splitAssignment)),
  };
}

function splitAssignment(text: string): [string, string] {
  const at = text.indexOf('=');
  return [text.slice(0, at), text.slice(at + 1)];
}

function usage(thrown: unknown): JobError {
  const fault = oneLine(asClause(thrown).replace(/^error: /, ''), 200);
  return new JobError({
    code: 'USAGE',
    message: fault.endsWith(')') ? fault : `${fault}.`,
    hint: 'See hpc-submit-dockerjob --help.',
  });
}
