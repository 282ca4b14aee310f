import type { LsfConfiguration } from '../configuration/read-configuration.ts';
import { JobError } from '../../values/errors.ts';
import type { Check } from '../../contract/finding.ts';
import { fine, warning } from '../../contract/finding.ts';

const needed = ['LSF_LINUX_CGROUP_ACCT', 'LSF_PROCESS_TRACKING'] as const;

/** LSF puts jobs into cgroups, where the site wants the kernel's word for whose process it is. */
export function checkCgroup(
  read: () => Promise<LsfConfiguration>,
  { isRequired, memoryPerSlotBytes }: { readonly isRequired: boolean; readonly memoryPerSlotBytes: number },
): Check {
  return {
    name: 'lsf-cgroup',
    look: async () => {
      const { conf } = await read();
      const missing = needed.filter((name) => !/^y/i.test(conf.get(name) ?? ''));
      if (missing.length === 0) return fine(needed.map((name) => `${name}=Y`).join(', '));
      if (isRequired) {
        throw new JobError({
          code: 'HOST_UNFIT',
          message: `lsf.conf lacks ${missing.map((name) => `${name}=Y`).join(' and ')}, so jobs have no cgroup, and every job is refused.`,
          hint: 'Add them, or set scheduler.requireJobCgroup: false in site.yaml.',
        });
      }
      const said = 'jobs have no cgroup, and site.yaml does not ask for one';
      if (memoryPerSlotBytes > 0) return fine(said);
      return warning(
        `${said}: nothing limits the memory of containers`,
        'Set container.memoryPerSlotBytes in site.yaml.',
      );
    },
  };
}
