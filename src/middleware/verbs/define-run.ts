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
      'pass our standard input to the command (default: if this very call was given it; HPCDJ_STDIN=yes or no)',
    )
    .option('--no-stdin', 'give the command an empty standard input')
    .option('--quiet', 'no progress lines on standard error')
    .option('--verbose', 'show on standard error what the helper and the launcher are asked, and their answers')
    .allowExcessArguments();
}
