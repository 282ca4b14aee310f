import type { Command } from 'commander';
import { JobError } from '../../values/errors.ts';
import { findNearestName } from '../../values/nearest-name.ts';

/** Fails with `USAGE`, whatever stands in the verb's place: there is nothing that the helper does without one. */
export function refuseVerb(program: Command): never {
  const verbs = program.commands.map((known) => known.name());
  const [word] = program.args;
  const nearest = word === undefined ? undefined : findNearestName(word, verbs);
  const guess = nearest === undefined ? '' : `Did you mean "${nearest}"? `;
  throw new JobError({
    code: 'USAGE',
    message: word === undefined ? 'The helper needs a verb.' : `"${word.slice(0, 60)}" is no verb of the helper.`,
    hint: `${guess}Known: ${verbs.join(', ')}. See hpc-dockerjob-helper --help.`,
  });
}
