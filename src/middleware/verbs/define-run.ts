import { Option } from 'commander';
import type { Command } from 'commander';
import { addRequestOptions } from './request-options.ts';

/** Adds the options of a run to the program. */
export function defineRun(program: Command): void {
  addRequestOptions(program)
    .addOption(
      new Option(
        '--json [file]',
        'write the outcome as one JSON object: as the last line of standard output, or with --json=FILE to a file',
      ),
    )
    .option(
      '--stdin',
      'give the command our standard input (default: where it was given to this very call; HPCDJ_STDIN=yes or no)',
    )
    .option('--no-stdin', 'the command has an empty one')
    .option('--quiet', 'no progress lines on standard error')
    .option('--verbose', 'say on standard error what is asked of the helper and the launcher, and what they answer')
    .allowExcessArguments();
}
