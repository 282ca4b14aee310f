import type { LsfConfiguration } from '../configuration/read-configuration.ts';
import { JobError } from '../../values/errors.ts';
import type { Check } from '../../contract/finding.ts';
import { fine, skipped } from '../../contract/finding.ts';

/** LSF runs no hook as root: a user's environment, LD_PRELOAD in it, acts before the hook's first line. */
export function checkHookUser(read: () => Promise<LsfConfiguration>): Check {
  return {
    name: 'lsf-hook-user',
    look: async () => {
      const { queues, applications, sudoers } = await read();
      const places = [...queues, ...applications]
        .filter(({ keywords }) => keywords.get('PRE_POST_EXEC_USER') === 'root')
        .map(({ name }) => `PRE_POST_EXEC_USER of ${name}`);
      if (sudoers instanceof Map && sudoers.get('LSB_PRE_POST_EXEC_USER') === 'root')
        places.push('LSB_PRE_POST_EXEC_USER of lsf.sudoers');
      if (places.length > 0) {
        throw new JobError({
          code: 'NOT_PERMITTED',
          message: `LSF runs hooks as root with the environment of the job's user: ${places.join(', ')}. LD_PRELOAD then gives every user root.`,
          hint: 'Remove it: hooks of this program run as the user and use the sudo rule.',
        });
      }
      if (sudoers === 'unreadable') return skipped('lsf.sudoers is root’s: run doctor as root to see');
      return fine('no hook runs as root');
    },
  };
}
