import type { Command } from 'commander';
import { JobError } from '../../values/errors.ts';

/** These say themselves what is wrong with an empty one, in the words of their own code. */
const sayThemselves: readonly string[] = ['application', 'image', 'json', 'env', 'shmSize'];

/** An option without a value, most often a variable of a script that is not set. Fails with `USAGE`. */
export function refuseEmptyOptions(called: Command): void {
  const options: Readonly<Record<string, unknown>> = called.opts();
  for (const option of called.options) {
    const name = option.attributeName();
    const value = options[name];
    if (sayThemselves.includes(name) || ![value].flat().includes('')) continue;
    throw new JobError({
      code: 'USAGE',
      message: `${option.long ?? option.flags}: its value is empty.`,
      hint: 'Give it a value, or leave it out. Perhaps a variable of the script is not set.',
    });
  }
}
