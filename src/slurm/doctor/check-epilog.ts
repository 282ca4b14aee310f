import { open } from 'node:fs/promises';
import { constants } from 'node:fs';
import type { SlurmSettings } from '../read-settings.ts';
import { checkUntamperable } from '../../system/check-untamperable.ts';
import { JobError } from '../../values/errors.ts';
import type { Check } from '../../contract/finding.ts';
import { fine, warning } from '../../contract/finding.ts';

const maxBytes = 256 * 1024;
const hint = 'Set Epilog=…/share/slurm/epilog of this package in slurm.conf, or call that file from yours.';

/** Slurm's epilog releases what a killed job leaves on this host, and is root's alone. */
export function checkEpilog(readSettings: () => Promise<SlurmSettings>): Check {
  return {
    name: 'slurm-epilog',
    look: async () => {
      const epilog = (await readSettings()).get('Epilog');
      if (epilog === undefined) {
        const message = 'Slurm has no Epilog: containers of killed jobs stay on their hosts.';
        throw new JobError({ code: 'HOST_UNFIT', message, hint });
      }
      if (epilog.includes('*')) return warning(`Epilog is ${epilog}: not looked into`, hint);
      const file = await checkUntamperable(epilog, { expected: 'program', code: 'HOST_UNFIT' });
      if (/release-node|share\/slurm\/epilog/.test(await readText(file))) return fine(`${epilog} releases jobs`);
      return warning(`${epilog} does not seem to release jobs`, hint);
    },
  };
}

async function readText(file: string): Promise<string> {
  await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(maxBytes), 0, maxBytes, 0);
  return buffer.toString('utf8', 0, bytesRead);
}
