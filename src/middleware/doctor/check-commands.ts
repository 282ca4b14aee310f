import { JobError } from '../../shared/errors.ts';
import type { Check } from '../../shared/finding.ts';
import { fine } from '../../shared/finding.ts';
import { findProgram } from '../../shared/find-program.ts';

const needed: readonly (readonly [program: string, debianPackage: string])[] = [
  ['ip', 'iproute2'],
  ['bridge', 'iproute2'],
  ['nft', 'nftables'],
  ['nsenter', 'util-linux'],
  ['unshare', 'util-linux'],
  ['sysctl', 'procps'],
];

/** The programs of the host that the helper calls are in the site's command path. */
export function checkCommands(commandPath: string): Check {
  return {
    name: 'commands',
    look: () => {
      const missing = needed.filter(([name]) => findProgram(name, commandPath) === undefined);
      if (missing.length === 0) return fine(`${needed.map(([name]) => name).join(', ')} are in ${commandPath}`);
      throw new JobError({
        code: 'HOST_UNFIT',
        message: `Not in any of ${commandPath}: ${missing.map(([name]) => name).join(', ')}.`,
        hint: `Install ${[...new Set(missing.map(([, name]) => name))].join(', ')}, or correct scheduler.commandPath.`,
      });
    },
  };
}
