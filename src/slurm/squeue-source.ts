import { askScheduler, firstWords, unreachable, unreadable } from '../confirmation/ask-scheduler.ts';
import type { AskedScheduler } from '../confirmation/ask-scheduler.ts';
import type { JobSource } from '../confirmation/confirm-job.ts';
import type { ConfirmedJob } from '../ports/scheduler.ts';
import { expandHostList } from './host-list.ts';
import { parseJobKey } from '../contract/job-key.ts';
import { parseTimeLeft } from './parse-time-left.ts';

export const slurm: AskedScheduler = {
  name: 'slurm',
  label: 'Slurm',
  command: 'squeue',
  hint: 'Try again when slurmctld answers: scontrol ping',
};

/** Fields that only Slurm itself writes: no job name, comment or path of a user can stand in the answer. */
const fields = {
  uid: '%U',
  jobId: '%A',
  arrayJobId: '%F',
  arrayIndex: '%K',
  state: '%T',
  hosts: '%N',
  timeLeft: '%L',
} as const;
type JobLine = Record<keyof typeof fields, string>;

/**
 * States in which the job holds its hosts and its processes may act. A suspended one goes on later; SIGNALING lasts
 * for the moment of a `scancel --signal`. CONFIGURING runs nothing yet, and COMPLETING is over: no new work there.
 */
const liveStates: readonly string[] = ['RUNNING', 'SUSPENDED', 'SIGNALING'];

/** In these states processes of the job may be on its hosts; COMPLETING among them: epilogs may be at work. */
const presentStates: readonly string[] = [
  ...liveStates,
  'CONFIGURING',
  'COMPLETING',
  'STOPPED',
  'STAGE_OUT',
  'RESIZING',
];

/** What slurmctld says of a job, asked by this squeue. */
export function squeueSource(squeue: string): JobSource<JobLine> {
  return {
    ...slurm,
    ask: async (schedulerJobId) => await askSqueue(squeue, schedulerJobId),
    isLive: (state) => liveStates.includes(state),
    isOver: (state) => !presentStates.includes(state),
    read: readConfirmedJob,
  };
}

async function askSqueue(squeue: string, schedulerJobId: string): Promise<JobLine | undefined> {
  const format = Object.values(fields).join('|');
  const argv = ['--noheader', '--array', '--states=all', `--jobs=${schedulerJobId}`, `--format=${format}`];
  const answer = await askScheduler(slurm, schedulerJobId, { file: squeue, argv });
  if (answer.exitCode !== 0) {
    if (/invalid job id/i.test(answer.stderr)) return undefined;
    throw unreachable(slurm, schedulerJobId, firstWords(slurm, answer));
  }
  const lines = answer.stdout.split('\n').filter((line) => line.trim() !== '');
  const jobs = lines.map(readLine);
  if (jobs.includes(undefined)) throw unreadable(slurm, lines);
  // The id of an array stands for all its elements, so others may be in the answer.
  return jobs.find((job) => job?.jobId === schedulerJobId);
}

function readLine(line: string): JobLine | undefined {
  const names = Object.keys(fields);
  const values = line.split('|').map((value) => value.trim());
  if (values.length !== names.length) return undefined;
  return Object.fromEntries(names.map((name, index) => [name, values[index]])) as JobLine;
}

function readConfirmedJob(line: JobLine): ConfirmedJob | undefined {
  const { uid, jobId, arrayJobId, arrayIndex, hosts, timeLeft } = line;
  const isElement = arrayIndex !== 'N/A' && arrayIndex !== '';
  const job = parseJobKey(isElement ? `${arrayJobId}_${arrayIndex}` : jobId);
  if (job === undefined || !/^\d{1,10}$/.test(uid) || hosts === '') return undefined;
  const secondsLeft = parseTimeLeft(timeLeft);
  return {
    job,
    schedulerJobId: jobId,
    uid: Number(uid),
    hosts: expandHostList(hosts),
    ...(secondsLeft === undefined ? {} : { secondsLeft }),
  };
}
