import { realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Check } from '../../contract/finding.ts';
import { fine, warning } from '../../contract/finding.ts';
import { readRegularFile } from '../../system/read-regular-file.ts';
import { JobError } from '../../values/errors.ts';
import type { SlurmSettings } from '../read-settings.ts';

const mostBytes = 256 * 1024;
const hint = 'hpc-dockerjob-setup slurm says what to write there.';

/** sbatch asks the policy of this very installation; `kit` is its share/slurm. */
export function checkCliFilter(readSettings: () => Promise<SlurmSettings>, kit: string): Check {
  return {
    name: 'slurm-cli-filter',
    look: async () => {
      const settings = await readSettings();
      const plugins = settings.get('CliFilterPlugins') ?? '';
      if (!/(?:^|[,/])lua(?:,|$)/.test(plugins)) return fine('submissions are not judged: CliFilterPlugins has no lua');
      const file = join(dirname(settings.get('SLURM_CONF') ?? '/etc/slurm/slurm.conf'), 'cli_filter.lua');
      const text = await readRegularFile(file, { mostBytes, longer: 'cut' }).then(String, () => undefined);
      if (text === undefined) {
        const message = `CliFilterPlugins is ${plugins}, but ${file} cannot be read: sbatch and srun fail on this host.`;
        throw new JobError({ code: 'HOST_UNFIT', message, hint });
      }
      return await judgeFilter(file, text, kit);
    },
  };
}

async function judgeFilter(file: string, text: string, kit: string) {
  const loaded = /^[^-\n]*dofile[ (,]*["']([^"'\n]*\/share\/slurm\/cli_filter\.lua)["']/m.exec(text)?.[1];
  if (loaded === undefined) return warning(`${file} does not load ours: submissions are not judged`, hint);
  const [found, own] = await Promise.all([loaded, join(kit, 'cli_filter.lua')].map(findReal));
  if (found === undefined)
    return warning(`${file} loads ${loaded}, which is not there: submissions are not judged`, hint);
  if (found !== own) return warning(`${file} loads ${loaded}, which is of another installation`, hint);
  return fine(`${file} judges submissions`);
}

async function findReal(path: string): Promise<string | undefined> {
  return await realpath(path).catch(() => undefined);
}
