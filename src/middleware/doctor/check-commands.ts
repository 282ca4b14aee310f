import { JobError } from '../../values/errors.ts';
import type { Check } from '../../contract/finding.ts';
import { fine } from '../../contract/finding.ts';
import { networkPrograms } from '../../network/known-networks.ts';
import { findProgram } from '../../system/find-program.ts';
import { hostPrograms } from '../../system/host-programs.ts';

const programs = { ...networkPrograms, ...hostPrograms };

/** The programs of the host that the helper calls are in the site's command path. */
export function checkCommands(commandPath: string): Check {
  return {
    name: 'commands',
    look: () => {
      const missing = Object.entries(programs).filter(([name]) => findProgram(name, commandPath) === undefined);
      if (missing.length === 0) return fine(`${Object.keys(programs).join(', ')} are in ${commandPath}`);
      throw new JobError({
        code: 'HOST_UNFIT',
        message: `Not in any of ${commandPath}: ${missing.map(([name]) => name).join(', ')}.`,
        hint: `Install ${[...new Set(missing.map(([, name]) => name))].join(', ')}, or correct scheduler.commandPath.`,
      });
    },
  };
}
