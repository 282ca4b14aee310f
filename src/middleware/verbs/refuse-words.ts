import type { Command } from 'commander';
import { JobError } from '../../values/errors.ts';
import { findNearestName } from '../../values/nearest-name.ts';

/** Words where none are expected: most often the command without its `--`. Fails with `USAGE`. */
export function refuseWords(called: Command, call: string): void {
  const [word] = called.args;
  if (word === undefined) return;
  const verb = findNearestName(
    word,
    called.commands.map((known) => known.name()),
  );
  throw new JobError({
    code: 'USAGE',
    message: `"${word.slice(0, 60)}" is neither an option nor a verb.`,
    hint:
      verb === undefined
        ? `The command stands after --, like this: ${call} --image app:1 -- mpirun my-solver.`
        : `Did you mean "${verb}"? A command stands after --.`,
  });
}
