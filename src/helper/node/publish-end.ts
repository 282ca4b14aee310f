import { asJobError } from '../../values/errors.ts';
import type { JobEnd } from '../../contract/helper-events.ts';
import { isEndTaken, leaveEndHere } from '../job/end-here.ts';
import { endJob } from '../job/end-job.ts';
import type { OwnNode } from './own-node.ts';
import { pause } from '../../system/deadline.ts';

/**
 * Publishes the command's end. While the store is away, or full, it is left for the keeper on this host, so that the job's status
 * is known although etcd never comes back. Fails when neither has taken it within `deadlines.releaseSeconds`.
 */
export async function publishEnd(own: OwnNode, end: JobEnd): Promise<void> {
  const { job } = own.plan;
  const lastTry = performance.now() + own.site.deadlines.releaseSeconds * 1000;
  for (let isLeft = false; ; isLeft = true) {
    try {
      await endJob(own.jobStore, end);
      return;
    } catch (error) {
      const isAway = ['STORE_UNREACHABLE', 'STORE_FULL'].includes(asJobError(error).code);
      // The store of a job on one host is the keeper itself.
      if (!isAway || own.plan.nodes.length === 1 || own.told.aborted || performance.now() > lastTry) throw error;
    }
    if (!isLeft) await leaveEndHere(own.plan, end);
    else if (await isEndTaken(job)) return;
    await pause(1000, { signal: own.told });
  }
}
