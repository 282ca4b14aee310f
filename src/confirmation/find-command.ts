import { JobError } from '../values/errors.ts';
import { findProgram } from '../system/find-program.ts';

/**
 * Absolute path of a scheduler's command in the site's `scheduler.commandPath`; the caller's own PATH is not asked.
 * Fails with `SCHEDULER_UNREACHABLE`.
 */
export function findCommand(name: string, label: string, commandPath: string): string {
  const file = findProgram(name, commandPath);
  if (file !== undefined) return file;
  throw new JobError({
    code: 'SCHEDULER_UNREACHABLE',
    message: `${label}'s command ${name} is not in any of ${commandPath}.`,
    hint: `Correct scheduler.commandPath in site.yaml, or install the ${label} client on this host.`,
  });
}
