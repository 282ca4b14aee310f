import type { SlurmSettings } from '../read-settings.ts';
import type { Check } from '../../contract/finding.ts';
import { fine, warning } from '../../contract/finding.ts';

/** A cancelled job has the time to clean up by itself; what it does not reach is the epilog's. */
export function checkKillWait(readSettings: () => Promise<SlurmSettings>, stopSeconds: number): Check {
  return {
    name: 'slurm-kill-wait',
    look: async () => {
      const text = (await readSettings()).get('KillWait') ?? '';
      const seconds = Number(/^(\d+)/.exec(text)?.[1] ?? NaN);
      if (seconds > stopSeconds) return fine(`KillWait is ${text}, deadlines.stopSeconds ${stopSeconds}`);
      return warning(
        `KillWait is ${text || 'not told'}, no more than deadlines.stopSeconds (${stopSeconds}): of a cancelled job only the epilog cleans up`,
        'Set KillWait in slurm.conf higher, or deadlines.stopSeconds in site.yaml lower.',
      );
    },
  };
}
