import { setTimeout as pause } from 'node:timers/promises';
import type { JobEnd } from '../../shared/helper-events.ts';
import { endJob } from '../end-job.ts';
import type { OwnNode } from '../own-node.ts';

/** Publishes the command's end, for as long as it takes to outlive an outage of the store. */
export async function publishEnd(own: OwnNode, end: JobEnd): Promise<void> {
  for (;;) {
    try {
      await endJob(own.store, own.site.site.keyPrefix, own.plan.job, end);
      return;
    } catch (error) {
      if (own.told.aborted) throw error;
      await pause(1000);
    }
  }
}
