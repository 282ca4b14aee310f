import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import type { LsfConfiguration } from '../configuration/read-configuration.ts';
import { JobError } from '../../values/errors.ts';
import type { Check } from '../../contract/finding.ts';
import { fine, warning } from '../../contract/finding.ts';
import { everyName as own, listImageEsubs } from '../esub/list-own-esubs.ts';

export interface WantedEsubs {
  readonly aliases: readonly string[];
  /** site.yaml has rules for submissions that name no alias. */
  readonly hasRules: boolean;
}

/** Every alias of site.yaml has its esub, and where there is one of ours at all, the esub of every submission is called. */
export function checkEsub(read: () => Promise<LsfConfiguration>, { aliases, hasRules }: WantedEsubs): Check {
  return {
    name: 'lsf-esub',
    look: async () => {
      if (aliases.length === 0 && !hasRules && (await findImageEsubs(read)).length === 0)
        return fine('site.yaml has no alias and no rule for LSF, so none is needed');
      const { conf } = await read();
      const directory = conf.get('LSF_SERVERDIR');
      const takingImages = listImageEsubs(directory ?? '', aliases);
      if (directory === undefined) throw wrong('lsf.conf names no LSF_SERVERDIR', 'esubs are looked for there.');
      const files = [own, ...aliases].map((name) => join(directory, `esub.${name}`));
      const usable = await Promise.all(files.map(isExecutable));
      const missing = files.filter((_, index) => !usable[index]);
      // Called without -a as well, so that jobs with APPLICATION and of queues with a default are judged.
      const methods = (conf.get('LSB_ESUB_METHOD') ?? '').split(/\s+/);
      // All of them at once: who mends one of several should not have to ask again.
      const faults = [
        ...(missing.length > 0 ? [`esubs are missing, or cannot be executed: ${missing.join(', ')}`] : []),
        ...(methods.includes(own) ? [] : [`lsf.conf does not name ${own} in LSB_ESUB_METHOD`]),
      ];
      if (faults.length > 0) {
        throw wrong(
          faults.join('; '),
          `Link each esub to share/lsf/esub.hpcdocker, and let lsf.conf have LSB_ESUB_METHOD="${own}": without a link only that one keeps a job with such an alias from the host itself.`,
        );
      }
      if (aliases.length + takingImages.length > 0 && !/^y/i.test(conf.get('LSB_SUB_COMMANDNAME') ?? '')) {
        return warning(
          "lsf.conf has not LSB_SUB_COMMANDNAME=Y: of bsub -a NAME 'a; b' the second command runs on the host itself, unrefused",
          'Add it: the esub sees the command line then.',
        );
      }
      const note = takingImages.map((name) => `; bsub -a '${name}(IMAGE)' names an image`).join('');
      return fine(`${files.length} esubs in ${directory}, LSB_ESUB_METHOD names ${own}${note}`);
    },
  };
}

/** None where LSF's files cannot be read: without an alias or a rule nothing depends on them. */
async function findImageEsubs(read: () => Promise<LsfConfiguration>): Promise<readonly string[]> {
  return await read().then(
    ({ conf }) => listImageEsubs(conf.get('LSF_SERVERDIR') ?? '', []),
    () => [],
  );
}

async function isExecutable(file: string): Promise<boolean> {
  return await access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function wrong(fault: string, hint: string): JobError {
  return new JobError({
    code: 'HOST_UNFIT',
    message: `LSF does not pass all submissions to the check: ${fault}.`,
    hint,
  });
}
