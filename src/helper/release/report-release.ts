import type { JobKey } from '../../contract/job-key.ts';
import type { Reaped } from './reap-jobs.ts';
import type { JobRelease } from './release-job.ts';
import type { NodeRelease } from './release-node.ts';

/** What the verbs that release have to say on standard output; what is left or was not possible goes elsewhere. */

/** One line for a job on this host. */
export function describeNodeRelease(job: JobKey, { wasHere, leftovers }: NodeRelease): readonly string[] {
  if (!wasHere) return [`job ${job}: nothing of it to release on this host`];
  return leftovers.length === 0 ? [`job ${job}: released on this host`] : [];
}

/** One line for a job as a whole. */
export function describeJobRelease(job: JobKey, { wasThere, leftovers }: JobRelease): readonly string[] {
  if (!wasThere) return [`job ${job}: nothing of it to release, neither on this host nor in the store`];
  return leftovers.length === 0 ? [`job ${job}: released`] : [];
}

/** One line for a round of reaping; none when all that it found was left alone, which the notes tell. */
export function describeReaped({ released, leftovers, notes, unfinished }: Reaped): readonly string[] {
  if (released.length > 0) return [`released: ${released.join(', ')}`];
  const isNothing = leftovers.length === 0 && notes.length === 0 && unfinished.length === 0;
  return isNothing ? ['nothing to release: no job that is over has left anything on this host or in the store'] : [];
}
