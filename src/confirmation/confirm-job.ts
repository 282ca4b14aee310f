import type { ConfirmedJob } from '../ports/scheduler.ts';
import { JobError } from '../values/errors.ts';
import { isSchedulerJobId } from '../contract/schedulers.ts';
import { unreadable } from './ask-scheduler.ts';
import type { AskedScheduler } from './ask-scheduler.ts';

/** What a scheduler says of one job, and how it is to be understood. */
export interface JobSource<Facts extends { readonly state: string }> extends AskedScheduler {
  /** Undefined when the scheduler knows no such job. Fails with `SCHEDULER_UNREACHABLE`. */
  ask(schedulerJobId: string): Promise<Facts | undefined>;
  /** True when the job holds its hosts and its processes may act, now or, when it is suspended, later. */
  isLive(state: string): boolean;
  /** True when the scheduler is about to end a job that still holds its hosts: it was cancelled, or is at a limit. */
  isEnding(state: string): boolean;
  /** True when none of its processes can be on any host. */
  isOver(state: string): boolean;
  /** Uid of the job's user; undefined when it cannot be read. */
  readOwner(facts: Facts): number | undefined | Promise<number | undefined>;
  /** Undefined when the facts are of no known form. */
  read(facts: Facts, schedulerJobId: string, uid: number): ConfirmedJob | undefined | Promise<ConfirmedJob | undefined>;
}

/**
 * The job, which must hold its hosts now and, with a uid, belong to that user. Fails with `JOB_NOT_YOURS`: in the same words
 * when the scheduler knows no such job and when it is another user's, so that nobody learns of others' jobs; with `TERMINATED`
 * when the scheduler is about to end it; and with `SCHEDULER_UNREACHABLE` when the scheduler does not answer.
 */
export async function confirmJob<Facts extends { readonly state: string }>(
  source: JobSource<Facts>,
  schedulerJobId: string,
  uid?: number,
): Promise<ConfirmedJob> {
  if (!isSchedulerJobId(source.name, schedulerJobId)) throw notRunning(source, schedulerJobId, 'it is no job id');
  const facts = await source.ask(schedulerJobId);
  if (facts === undefined) throw unknownOrForeign(source, schedulerJobId, uid);
  // Before anything else is said of it.
  const owner = await source.readOwner(facts);
  if (owner === undefined) throw unreadable(source, facts);
  if (uid !== undefined && owner !== uid) throw unknownOrForeign(source, schedulerJobId, uid);
  if (source.isEnding(facts.state)) throw beingEnded(source, schedulerJobId, facts.state);
  if (!source.isLive(facts.state)) throw notRunning(source, schedulerJobId, `its state is ${facts.state.slice(0, 20)}`);
  const job = await source.read(facts, schedulerJobId, owner);
  if (job === undefined) throw unreadable(source, facts);
  return job;
}

/**
 * Uid of the job's user, whatever its state; undefined when the scheduler knows no such job. Fails with
 * `SCHEDULER_UNREACHABLE`.
 */
export async function findJobOwner<Facts extends { readonly state: string }>(
  source: JobSource<Facts>,
  schedulerJobId: string,
): Promise<number | undefined> {
  if (!isSchedulerJobId(source.name, schedulerJobId)) return undefined;
  const facts = await source.ask(schedulerJobId);
  return facts === undefined ? undefined : await source.readOwner(facts);
}

/**
 * True when the scheduler knows no such job (any more), or says that none of its processes can be on any host. Fails with
 * `SCHEDULER_UNREACHABLE`.
 */
export async function isJobOver<Facts extends { readonly state: string }>(
  source: JobSource<Facts>,
  schedulerJobId: string,
): Promise<boolean> {
  if (!isSchedulerJobId(source.name, schedulerJobId)) return false;
  const facts = await source.ask(schedulerJobId);
  return facts === undefined || source.isOver(facts.state);
}

function unknownOrForeign(source: AskedScheduler, schedulerJobId: string, uid: number | undefined): JobError {
  const reason = `${source.label} knows no such job`;
  return notRunning(source, schedulerJobId, uid === undefined ? reason : `${reason}, or it belongs to another user`);
}

function beingEnded({ label }: AskedScheduler, schedulerJobId: string, state: string): JobError {
  return new JobError({
    code: 'TERMINATED',
    message: `The job was cancelled, or is at its end: ${label} is ending job ${schedulerJobId} (state ${state.slice(0, 20)}).`,
  });
}

function notRunning({ label }: AskedScheduler, schedulerJobId: string, reason: string): JobError {
  return new JobError({
    code: 'JOB_NOT_YOURS',
    message: `Job ${JSON.stringify(schedulerJobId.slice(0, 60))} is not a running ${label} job: ${reason}.`,
    hint: 'Call hpc-submit-dockerjob in the batch script of a job that runs now.',
  });
}
