import type { JobSource } from '../confirmation/confirm-job.ts';
import { findUid } from '../confirmation/find-uid.ts';
import type { ConfirmedJob } from '../ports/scheduler.ts';
import { parseJobKey } from '../contract/job-key.ts';
import { askBjobs, lsf } from './ask-bjobs.ts';
import type { BjobsOptions } from './ask-bjobs.ts';
import type { JobFacts } from './bjobs-forms.ts';
import { parseExecHosts } from './parse-exec-hosts.ts';

/** States in which the job holds its hosts and its processes may act; a suspended one goes on later. */
const liveStates: readonly string[] = ['RUN', 'USUSP', 'SSUSP'];

/** States in which none of its processes is on any host; in every other, known or not, some may be. */
const overStates: readonly string[] = ['DONE', 'EXIT', 'PEND', 'PSUSP', 'WAIT'];

/** What mbatchd says of a job. */
export function bjobsSource(options: BjobsOptions): JobSource<JobFacts> {
  return {
    ...lsf,
    ask: async (schedulerJobId) => await askBjobs(options, schedulerJobId),
    isLive: (state) => liveStates.includes(state),
    // A job that is killed is RUN until its processes are gone, but for this one, whose host does not answer.
    isEnding: (state) => state === 'ZOMBI',
    isOver: (state) => overStates.includes(state),
    readOwner: async ({ user }) => await findUid(user),
    read: readConfirmedJob,
  };
}

function readConfirmedJob(facts: JobFacts, schedulerJobId: string, uid: number): ConfirmedJob | undefined {
  const job = parseJobKey(schedulerJobId.replace('[', '_').replace(']', ''));
  const slots = parseExecHosts(facts.execHosts ?? '');
  if (job === undefined || slots === undefined) return undefined;
  const { queue } = facts;
  return { job, schedulerJobId, uid, ...(queue === undefined ? {} : { queue }), hosts: [...slots.keys()], slots };
}
