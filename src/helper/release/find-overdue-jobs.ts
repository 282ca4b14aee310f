import type { JobKey } from '../../contract/job-key.ts';
import { parseJobKey } from '../../contract/job-key.ts';
import { labels } from '../../contract/labels.ts';
import type { HelperContext } from '../open-context.ts';

/**
 * Jobs with a container on this host that has run for longer than its application may, and that nobody has ended: a user
 * can stop all helpers of his job (`scancel --full --signal=STOP`), but not a timer of root's. Suspension by the
 * scheduler does not count. Fails when engine or scheduler do not answer.
 */
export async function findOverdueJobs(context: HelperContext): Promise<ReadonlySet<JobKey>> {
  const overdue = new Set<JobKey>();
  for (const { labels: own, running } of await context.engine.findContainers({})) {
    const job = parseJobKey(own[labels.job] ?? '');
    const until = own[labels.runUntil] ?? '';
    if (!running || job === undefined || !/^\d{1,12}$/.test(until)) continue;
    const lateSeconds = Date.now() / 1000 - Number(until);
    if (lateSeconds <= 0) continue;
    const suspended = await context.authorities.readSuspendedSeconds(own[labels.schedulerJob] ?? '');
    if (lateSeconds > suspended) overdue.add(job);
  }
  return overdue;
}
