import { existsSync } from 'node:fs';
import { dirname } from 'node:path';

const name = 'hpc-dockerjob-helper';

/**
 * The helper as the sudo rule of this installation names it, with its full path: the command that npm linked, else the
 * file in the package. `installed` is the file itself. For messages only.
 */
export function ownCommand(installed: string | undefined, exists = existsSync): string {
  if (installed === undefined) return name;
  const [prefix] = dirname(installed).split('/lib/node_modules/');
  const linked = `${prefix}/bin/${name}`;
  return prefix !== dirname(installed) && exists(linked) ? linked : installed;
}
