import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { JobError } from '../shared/errors.ts';

/**
 * Absolute path of a command of Slurm in the site's `scheduler.commandPath`; the caller's own PATH is not asked.
 * Fails with `SCHEDULER_UNREACHABLE`.
 */
export function findCommand(name: string, commandPath: string): string {
  const file = commandPath
    .split(':')
    .map((directory) => join(directory, name))
    .find(isExecutable);
  if (file !== undefined) return file;
  throw new JobError({
    code: 'SCHEDULER_UNREACHABLE',
    message: `Slurm's command ${name} is not in any of ${commandPath}.`,
    hint: 'Correct scheduler.commandPath in site.yaml, or install the Slurm client on this host.',
  });
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
