import { join } from 'node:path';
import type { SlurmSettings } from '../read-settings.ts';
import { checkUntamperable } from '../../system/check-untamperable.ts';
import { readRegularFile } from '../../system/read-regular-file.ts';
import { JobError } from '../../values/errors.ts';
import type { Check } from '../../contract/finding.ts';
import { fine, warning } from '../../contract/finding.ts';

const mostBytes = 256 * 1024;
const hint = 'Set Epilog=…/share/slurm/epilog of this package in slurm.conf, or call that file from yours.';
/** Of the file of any release. */
const firstWords = '#!/bin/sh -p\n# Slurm Epilog (slurm.conf: Epilog=';

/** Slurm's epilog releases what a killed job leaves on this host, and is root's alone; `kit` is this installation's share/slurm. */
export function checkEpilog(readSettings: () => Promise<SlurmSettings>, kit: string): Check {
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
      const text = await readText(file);
      if (!/release-node|share\/slurm\/epilog/.test(text))
        return warning(`${epilog} does not seem to release jobs`, hint);
      const isOurs = text.startsWith(firstWords);
      if (isOurs && text !== (await readText(join(kit, 'epilog')).catch(() => text)))
        return warning(`${epilog} is the epilog of another release`, hint);
      return fine(`${epilog} releases jobs`);
    },
  };
}

async function readText(file: string): Promise<string> {
  return String(await readRegularFile(file, { mostBytes, longer: 'cut' }));
}
