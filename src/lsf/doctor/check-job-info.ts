import type { LsfConfiguration } from '../configuration/read-configuration.ts';
import type { Check } from '../../contract/finding.ts';
import { fine, warning } from '../../contract/finding.ts';

/** root sees the jobs of all users: else running jobs are refused, and taken for over. */
export function checkJobInfo(read: () => Promise<LsfConfiguration>): Check {
  return {
    name: 'lsf-job-info',
    look: async () => {
      const { conf, params } = await read();
      const level = params.get('SECURE_JOB_INFO_LEVEL') ?? '0';
      const users = conf.get('LSB_SECURE_JOBINFO_USERS');
      if (users?.split(/[\s,]+/).includes('root') === true) return fine('root is in LSB_SECURE_JOBINFO_USERS');
      const hidden = [
        ...(level === '0' ? [] : [`SECURE_JOB_INFO_LEVEL=${level} in lsb.params`]),
        ...(users === undefined ? [] : [`LSB_SECURE_JOBINFO_USERS=${users} in lsf.conf`]),
      ];
      if (hidden.length === 0) return fine('information on jobs is not hidden');
      return warning(
        `information on jobs may be hidden from root: ${hidden.join(', ')}`,
        "As root, bjobs must show another user's job on this host; give root the right to see all.",
      );
    },
  };
}
