import { askScheduler, firstWords, unreachable, unreadable } from '../confirmation/ask-scheduler.ts';
import type { AskedScheduler } from '../confirmation/ask-scheduler.ts';
import type { JobSource } from '../confirmation/confirm-job.ts';
import type { ConfirmedJob } from '../ports/scheduler.ts';
import { expandHostList } from './host-list.ts';
import { parseJobKey } from '../contract/job-key.ts';
import { JobError } from '../values/errors.ts';
import type { JobKey } from '../contract/job-key.ts';

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
  gid: '%G',
  partition: '%P',
} as const;
export type JobLine = Record<keyof typeof fields, string>;

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
    // Its processes are being killed, epilogs may be at work.
    isEnding: (state) => state === 'COMPLETING',
    isOver: (state) => !presentStates.includes(state),
    readOwner: readUid,
    read: readConfirmedJob,
  };
}

/** Uid of the user of a job or of an element of an array; undefined when Slurm knows no such job. Fails with `SCHEDULER_UNREACHABLE`. */
export async function findOwner(squeue: string, job: JobKey): Promise<number | undefined> {
  const line = await askSqueue(squeue, job, (each) => keyOf(each) === job);
  return line === undefined ? undefined : readUid(line);
}

/**
 * The running job of this id, asked by its user: `775`, or `772_3` for an element of an array. Undefined when Slurm knows no
 * such job of that user that runs (undefined: of anybody). Fails with `USAGE` for the id of an array, with `SCHEDULER_UNREACHABLE`.
 */
export async function findRunningJob(
  squeue: string,
  id: string,
  asking: { readonly uid: number | undefined; readonly environment: Readonly<Record<string, string>> },
): Promise<{ readonly job: JobKey; readonly schedulerJobId: string; readonly hosts: readonly string[] } | undefined> {
  const { uid, environment } = asking;
  // An array's own number is also the job id of one of its elements.
  const isMeant = (line: JobLine): boolean =>
    [keyOf(line), line.jobId, line.arrayJobId].includes(id) &&
    liveStates.includes(line.state) &&
    (uid === undefined || readUid(line) === uid);
  const line = await askSqueue(squeue, id, isMeant, environment);
  const job = line === undefined ? undefined : keyOf(line);
  if (line === undefined || job === undefined) return undefined;
  if (job !== id && line.arrayJobId === id) throw isArray(id);
  return { job, schedulerJobId: line.jobId, hosts: readHosts(line.hosts) ?? [] };
}

function isArray(id: string): JobError {
  return new JobError({
    code: 'USAGE',
    message: `Job ${id} is an array of jobs.`,
    hint: `Name one of them, as squeue shows it: ${id}_3.`,
  });
}

function readUid({ uid }: JobLine): number | undefined {
  return /^\d{1,10}$/.test(uid) ? Number(uid) : undefined;
}

/** The id of an array stands for all its elements, so others than the one that is meant may be in the answer. */
async function askSqueue(
  squeue: string,
  schedulerJobId: string,
  isMeant: (line: JobLine) => boolean = ({ jobId }) => jobId === schedulerJobId,
  environment: Readonly<Record<string, string>> = {},
): Promise<JobLine | undefined> {
  const format = Object.values(fields).join('|');
  const argv = ['--noheader', '--array', '--states=all', `--jobs=${schedulerJobId}`, `--format=${format}`];
  const answer = await askScheduler(slurm, schedulerJobId, { file: squeue, argv, environment });
  if (answer.exitCode !== 0) {
    if (/invalid job id/i.test(answer.stderr)) return undefined;
    throw unreachable(slurm, schedulerJobId, firstWords(slurm, answer));
  }
  const jobs = readSqueue(answer.stdout);
  if (jobs === undefined) throw unreadable(slurm, answer.stdout);
  return jobs.find(isMeant);
}

/** The jobs in squeue's answer, one a line; undefined when one of them cannot be read. */
export function readSqueue(stdout: string): readonly JobLine[] | undefined {
  const jobs = stdout
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(readLine);
  return jobs.every((job) => job !== undefined) ? jobs : undefined;
}

function readLine(line: string): JobLine | undefined {
  const names = Object.keys(fields);
  const values = line.split('|').map((value) => value.trim());
  if (values.length !== names.length) return undefined;
  return Object.fromEntries(names.map((name, index) => [name, values[index]])) as JobLine;
}

function keyOf({ jobId, arrayJobId, arrayIndex }: JobLine): JobKey | undefined {
  const isElement = arrayIndex !== 'N/A' && arrayIndex !== '';
  return parseJobKey(isElement ? `${arrayJobId}_${arrayIndex}` : jobId);
}

function readConfirmedJob(line: JobLine, _: string, uid: number): ConfirmedJob | undefined {
  const { jobId, hosts, gid, partition } = line;
  const job = keyOf(line);
  const names = readHosts(hosts);
  if (job === undefined || !/^\d{1,10}$/.test(gid) || names === undefined) return undefined;
  return {
    job,
    schedulerJobId: jobId,
    uid,
    gid: Number(gid),
    // While it waits a job may be in several.
    ...(partition === '' || partition.includes(',') ? {} : { queue: partition }),
    hosts: names,
  };
}

/** Undefined for a list that cannot be read: it is Slurm's own, so the request is not to blame. */
function readHosts(list: string): readonly string[] | undefined {
  try {
    return expandHostList(list);
  } catch {
    return undefined;
  }
}
