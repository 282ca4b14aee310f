import { execa } from 'execa';
import { JobError } from '../shared/errors.ts';
import { expandHostList } from '../shared/host-list.ts';
import { parseJobKey } from '../shared/job-key.ts';
import type { ConfirmedJob } from '../ports/scheduler.ts';
import { parseTimeLeft } from './parse-time-left.ts';

/** One question to slurmctld, its own retries included. */
const deadlineMs = 10_000;

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

/**
 * What slurmctld says of a job that holds its hosts now. Fails with `JOB_NOT_YOURS` when it knows no such job or the
 * job is over, with `SCHEDULER_UNREACHABLE` when it does not answer within 10 seconds.
 */
export async function confirmJob(squeue: string, schedulerJobId: string): Promise<ConfirmedJob> {
  if (parseJobKey(schedulerJobId) === undefined || schedulerJobId.includes('_'))
    throw notARunningJob(schedulerJobId, 'it is no job id');
  const answer = await askSqueue(squeue, schedulerJobId);
  // The id of an array stands for all its elements, so others may be in the answer.
  const line = answer
    .split('\n')
    .map(readLine)
    .find((job) => job?.jobId === schedulerJobId);
  if (line === undefined) throw notARunningJob(schedulerJobId, 'Slurm knows no such job');
  if (!liveStates.includes(line.state)) throw notARunningJob(schedulerJobId, `its state is ${line.state}`);
  return readConfirmedJob(line);
}

/** In these states processes of the job may be on its hosts; COMPLETING among them: epilogs may be at work. */
const presentStates: readonly string[] = [
  ...liveStates,
  'CONFIGURING',
  'COMPLETING',
  'STOPPED',
  'STAGE_OUT',
  'RESIZING',
];

/**
 * True when slurmctld knows no such job (any more), or says that none of its processes can be on any host. Fails with
 * `SCHEDULER_UNREACHABLE` when it does not answer within 10 seconds.
 */
export async function isJobOver(squeue: string, schedulerJobId: string): Promise<boolean> {
  if (parseJobKey(schedulerJobId) === undefined || schedulerJobId.includes('_')) return false;
  try {
    const lines = (await askSqueue(squeue, schedulerJobId)).split('\n').filter((line) => line.trim() !== '');
    const jobs = lines.map(readLine);
    // Not to be found must not be mistaken for not to be read.
    if (jobs.includes(undefined)) throw unreadable(lines);
    const job = jobs.find((line) => line?.jobId === schedulerJobId);
    return job === undefined || !presentStates.includes(job.state);
  } catch (error) {
    if (error instanceof JobError && error.code === 'JOB_NOT_YOURS') return true;
    throw error;
  }
}

async function askSqueue(squeue: string, schedulerJobId: string): Promise<string> {
  const result = await execa(
    squeue,
    [
      '--noheader',
      '--array',
      '--states=all',
      `--jobs=${schedulerJobId}`,
      `--format=${Object.values(fields).join('|')}`,
    ],
    {
      // Nothing of a caller's environment: SLURM_CONF could name another controller, SQUEUE_* another question.
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
      extendEnv: false,
      stdin: 'ignore',
      reject: false,
      timeout: deadlineMs,
      forceKillAfterDelay: 500,
      maxBuffer: 16 * 1024 ** 2,
    },
  );
  if (!result.failed) return result.stdout;
  if (/invalid job id/i.test(result.stderr)) throw notARunningJob(schedulerJobId, 'Slurm knows no such job');
  const reason = result.timedOut
    ? `no answer within ${deadlineMs / 1000} s`
    : firstLine(result.stderr) || result.shortMessage;
  throw new JobError({
    code: 'SCHEDULER_UNREACHABLE',
    message: `Slurm could not be asked about job ${schedulerJobId}: ${reason}.`,
    hint: 'Try again when slurmctld answers: scontrol ping',
  });
}

function readLine(line: string): JobLine | undefined {
  const names = Object.keys(fields);
  const values = line.split('|').map((value) => value.trim());
  if (values.length !== names.length) return undefined;
  return Object.fromEntries(names.map((name, index) => [name, values[index]])) as JobLine;
}

function readConfirmedJob(line: JobLine): ConfirmedJob {
  const { uid, jobId, arrayJobId, arrayIndex, hosts, timeLeft } = line;
  const isElement = arrayIndex !== 'N/A' && arrayIndex !== '';
  const job = parseJobKey(isElement ? `${arrayJobId}_${arrayIndex}` : jobId);
  if (job === undefined || !/^\d{1,10}$/.test(uid) || hosts === '') throw unreadable(line);
  const secondsLeft = parseTimeLeft(timeLeft);
  return {
    job,
    schedulerJobId: jobId,
    uid: Number(uid),
    hosts: expandHostList(hosts),
    ...(secondsLeft === undefined ? {} : { secondsLeft }),
  };
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] ?? '';
}

function notARunningJob(schedulerJobId: string, reason: string): JobError {
  return new JobError({
    code: 'JOB_NOT_YOURS',
    message: `Job ${JSON.stringify(schedulerJobId.slice(0, 60))} is not a running Slurm job: ${reason}.`,
    hint: 'Call hpc-submit-dockerjob in the batch script of a job that runs now.',
  });
}

function unreadable(line: unknown): JobError {
  return new JobError({
    code: 'SCHEDULER_UNREACHABLE',
    message: `squeue gave an answer that cannot be read: ${JSON.stringify(line).slice(0, 400)}.`,
    hint: 'Is this release of Slurm supported? Please report the line.',
  });
}
