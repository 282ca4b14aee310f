import { askScheduler, firstWords, unreachable, unreadable } from '../confirmation/ask-scheduler.ts';
import type { AskedScheduler } from '../confirmation/ask-scheduler.ts';
import type { JobSource } from '../confirmation/confirm-job.ts';
import { findCommand } from '../confirmation/find-command.ts';
import { findUid } from '../confirmation/find-uid.ts';
import type { ConfirmedJob } from '../ports/scheduler.ts';
import { parseJobKey } from '../contract/job-key.ts';
import { parseExecHost, readQstat } from './read-qstat.ts';
import type { JobFacts } from './read-qstat.ts';

const pbs: AskedScheduler = {
  name: 'pbs',
  label: 'PBS',
  command: 'qstat',
  hint: 'Try again when pbs_server answers: qstat -B. (Administrators: scheduler.commandPath in site.yaml, pbs.conf.)',
};

/** R running, S and U suspended (qstat(1B)). */
const liveStates: readonly string[] = ['R', 'S', 'U'];

/** Waiting, or over: Q, H, W; C with Torque; F, X, M with OpenPBS. In every other, E among them, processes may be left. */
const overStates: readonly string[] = ['Q', 'H', 'W', 'C', 'F', 'X', 'M'];

/** What pbs_server says of a job. */
export function qstatSource(commandPath: string): JobSource<JobFacts> {
  return {
    ...pbs,
    ask: async (schedulerJobId) => await askQstat(commandPath, schedulerJobId),
    isLive: (state) => liveStates.includes(state),
    isEnding: (state) => state === 'E',
    isOver: (state) => overStates.includes(state),
    readOwner: async ({ user }) => await findUid(user),
    read: readConfirmedJob,
  };
}

async function askQstat(commandPath: string, schedulerJobId: string): Promise<JobFacts | undefined> {
  const answer = await askScheduler(pbs, schedulerJobId, {
    file: findCommand('qstat', pbs.label, commandPath),
    // Never with a server's name: a user could name one of his own, and qstat would believe it.
    argv: ['-f', schedulerJobId],
  });
  if (answer.exitCode !== 0) {
    if (/^qstat: (?:unknown job id|.*job has finished)/im.test(answer.stderr)) return undefined;
    throw unreachable(pbs, schedulerJobId, firstWords(pbs, answer));
  }
  const facts = readQstat(answer.stdout);
  if (facts?.id !== schedulerJobId) throw unreadable(pbs, answer.stdout);
  return facts;
}

function readConfirmedJob(facts: JobFacts, schedulerJobId: string, uid: number): ConfirmedJob | undefined {
  const job = parseJobKey(schedulerJobId.replace('[', '_').replace(']', ''));
  const slots = parseExecHost(facts.execHost);
  if (job === undefined || slots === undefined) return undefined;
  const { queue } = facts;
  return { job, schedulerJobId, uid, ...(queue === undefined ? {} : { queue }), hosts: [...slots.keys()], slots };
}
