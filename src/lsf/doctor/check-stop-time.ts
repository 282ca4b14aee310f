import type { LsfConfiguration } from '../configuration/read-configuration.ts';
import { JobError } from '../../values/errors.ts';
import type { Check } from '../../contract/finding.ts';
import { fine } from '../../contract/finding.ts';

const usualSeconds = 10;

/** LSF kills a cancelled job only after it had the time to stop its containers: INT, TERM and KILL come one interval apart. */
export function checkStopTime(read: () => Promise<LsfConfiguration>, stopSeconds: number): Check {
  return {
    name: 'lsf-stop-time',
    look: async () => {
      const interval = Number((await read()).params.get('JOB_TERMINATE_INTERVAL') ?? usualSeconds);
      if (interval * 2 > stopSeconds)
        return fine(`JOB_TERMINATE_INTERVAL is ${interval}, deadlines.stopSeconds ${stopSeconds}`);
      throw new JobError({
        code: 'CONFIG_INVALID',
        message: `Two times JOB_TERMINATE_INTERVAL (${interval}) is no more than deadlines.stopSeconds (${stopSeconds}): LSF kills a cancelled job before its clean-up.`,
        hint: 'Set JOB_TERMINATE_INTERVAL in lsb.params higher, or deadlines.stopSeconds in site.yaml lower.',
      });
    },
  };
}
