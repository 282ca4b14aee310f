import type { SiteConfig } from '../../config/site-schema.ts';
import { requireJobKey } from '../../contract/job-key.ts';
import type { JobRequest } from '../../contract/job-request.ts';
import { judgeRequest } from '../../policy/decide-request.ts';
import type { Decision } from '../../policy/decide-request.ts';
import { parseJobRequest } from '../../policy/parse-job-request.ts';
import type { JudgedUser, Requester } from '../../policy/requester.ts';
import type { Allocation } from '../../ports/scheduler.ts';
import { JobError } from '../../values/errors.ts';
import type { UserRequest } from '../read-request.ts';
import { writeJobRequest } from '../write-job-request.ts';

/** A request as `open-job` would have it, and what the site's policy makes of it. */
export interface AskedJob {
  readonly request: JobRequest;
  readonly decision: Decision;
}

/** Fails with `NOT_PERMITTED` for root, as the helper does: no job's containers run as root. */
export function refuseRoot(user: Pick<JudgedUser, 'uid'>): void {
  if (user.uid !== 0) return;
  throw new JobError({
    code: 'NOT_PERMITTED',
    message: 'Jobs in containers cannot be started by root.',
    hint: 'Ask for the user whose job it is: --user NAME.',
  });
}

/**
 * Puts the request through all that `open-job` puts it through, for a job that there need not be: its form, then the
 * policy. Throws the `JobError` of the first rule that refuses it. Starts nothing, asks nobody.
 */
export function judgeAsked(
  site: SiteConfig,
  allocation: Allocation,
  asked: UserRequest,
  requester: Requester,
): AskedJob {
  // Written and read as on its way to the helper: so nothing reaches the policy that would not reach it there.
  const text = JSON.stringify(writeJobRequest(allocation, asked, '0'.repeat(16)));
  const request = parseJobRequest(JSON.parse(text), site);
  const decision = judgeRequest(site, { ...request, hostCount: request.hosts.length }, requester);
  return { request, decision };
}

/** An allocation of so many hosts, for a question that is not asked in a job. */
export function imagineAllocation(hostCount: number): Allocation {
  return {
    scheduler: 'slurm',
    schedulerJobId: '1',
    job: requireJobKey('1'),
    hosts: Array.from({ length: hostCount }, (_, index) => ({ name: `host${index}`, slots: 1 })),
  };
}
