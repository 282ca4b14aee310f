import type { SlurmSettings } from '../read-settings.ts';
import { JobError } from '../../values/errors.ts';
import type { Check } from '../../contract/finding.ts';
import { fine } from '../../contract/finding.ts';

const wanted = 'proctrack/cgroup';

/** Slurm puts jobs into cgroups, where the site wants the kernel's word for whose process it is. */
export function checkCgroup(readSettings: () => Promise<SlurmSettings>, isRequired: boolean): Check {
  return {
    name: 'slurm-cgroup',
    look: async () => {
      const found = (await readSettings()).get('ProctrackType') ?? 'not set';
      if (found === wanted) return fine(`ProctrackType=${wanted}`);
      if (!isRequired) return fine(`ProctrackType is ${found}, and site.yaml does not ask for a cgroup`);
      throw new JobError({
        code: 'HOST_UNFIT',
        message: `Slurm's ProctrackType is ${found}, so jobs have no cgroup, and every job is refused.`,
        hint: `Set ProctrackType=${wanted} in slurm.conf, or scheduler.requireJobCgroup: false in site.yaml.`,
      });
    },
  };
}
