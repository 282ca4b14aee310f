import { lstat, readdir } from 'node:fs/promises';
import { checkUntamperable } from '../../system/check-untamperable.ts';
import { JobError } from '../../values/errors.ts';
import type { Check } from '../../contract/finding.ts';
import { fine } from '../../contract/finding.ts';

/** How many are named: one would do to act on. */
const shown = 3;

/** Nobody but root could change a file of the installed package, or put another in its place. */
export function checkProgram(packageDirectory: string, helper: string): Check {
  return {
    name: 'program',
    look: async () => {
      const root = await checkUntamperable(packageDirectory, { expected: 'directory' });
      await checkUntamperable(helper, { expected: 'program' });
      const entries = await readdir(root, { recursive: true, withFileTypes: true });
      const suspects = await Promise.all(
        entries.map(async ({ parentPath, name }) => {
          const path = `${parentPath}/${name}`;
          const { uid, mode } = await lstat(path);
          const isOpen = (mode & 0o022) !== 0 && (mode & 0o170000) !== 0o120000;
          return uid !== 0 || isOpen ? [path] : [];
        }),
      );
      const open = suspects.flat();
      if (open.length === 0) return fine(`${entries.length} files in ${root} are root's alone`);
      throw new JobError({
        code: 'CONFIG_UNTRUSTED',
        message: `Users other than root could change ${open.length} files of the program, for example ${open.slice(0, shown).join(', ')}.`,
        hint: `chown -R root:root ${root} && chmod -R go-w ${root}, after a look at who changed them.`,
      });
    },
  };
}
