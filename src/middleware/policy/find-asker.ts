import type { SiteConfig } from '../../config/site-schema.ts';
import type { Allocation, Scheduler } from '../../ports/scheduler.ts';
import { findScheduler } from '../../schedulers/find-scheduler.ts';
import { knownSchedulers } from '../../schedulers/known-schedulers.ts';
import { findUser } from '../../system/find-user.ts';
import { inGroupOfJob, readUser } from '../../system/read-user.ts';
import { JobError } from '../../values/errors.ts';
import type { HostUser } from '../../values/host-user.ts';
import { imagineAllocation } from './judge-asked.ts';

/** For whom the policy is asked, as `explain` is told it. */
export interface AskerOptions {
  /** Name or number; root alone may name another than itself. */
  readonly user?: string;
  readonly partition?: string;
  readonly queue?: string;
  readonly hosts?: number;
}

/** The job for which the policy is asked: the one that we are in, or one that could be. */
export interface AskedAllocation {
  readonly allocation: Allocation;
  /** True when the allocation is that of the job that we are in. */
  readonly isReal: boolean;
}

/** The job that we are in, unless another number of hosts is asked for. Fails as a run does when its environment is wrong. */
export async function findAllocation(
  hosts: number | undefined,
  environment: NodeJS.ProcessEnv,
): Promise<AskedAllocation> {
  if (hosts !== undefined) return { allocation: imagineAllocation(hosts), isReal: false };
  const scheduler = await findOwnScheduler(environment);
  if (scheduler === undefined) return { allocation: imagineAllocation(1), isReal: false };
  return { allocation: scheduler.readAllocation(environment), isReal: true };
}

async function findOwnScheduler(environment: NodeJS.ProcessEnv): Promise<Scheduler | undefined> {
  try {
    return await findScheduler(environment);
  } catch (thrown) {
    if (thrown instanceof JobError && thrown.code === 'NOT_IN_A_JOB') return undefined;
    throw thrown;
  }
}

/**
 * The user whose request is judged, by this host's user database. Fails with `NOT_PERMITTED` when somebody else than root
 * names another user, with `HOST_UNFIT` for one that the database does not know.
 */
export async function findAskingUser(named: string | undefined): Promise<HostUser> {
  const uid = process.getuid?.() ?? -1;
  if (named === undefined) return inGroupOfJob(await readUser(uid), process.getgid?.());
  const user = await findUser(named);
  if (uid === 0 || uid === user.uid) return user;
  throw new JobError({
    code: 'NOT_PERMITTED',
    message: `Only root may ask for another user, and ${JSON.stringify(named.slice(0, 60))} is not you.`,
    hint: 'Leave out --user to ask for yourself.',
  });
}

/** The one partition or queue that the options name; fails with `USAGE` when they name two, or none in the words of one. */
export function readNamedQueue({ partition, queue }: AskerOptions): string | undefined {
  const named = [...new Set([partition, queue].filter((name) => name !== undefined))];
  const isClear = named.length < 2;
  if (isClear && named.every((name) => /^[^\s\p{Cc},]{1,256}$/u.test(name))) return named[0];
  throw new JobError({
    code: 'USAGE',
    message: isClear
      ? `${JSON.stringify(named[0]?.slice(0, 60))} is not the name of a partition or queue.`
      : `Both ${named.map((name) => JSON.stringify(name.slice(0, 60))).join(' and ')} were named: a job is in one partition or queue.`,
    hint: 'A partition (Slurm) and a queue (other schedulers) mean the same: give the one in which the job would run.',
  });
}

/** The facts of the job that we are in, by the scheduler's own word: what root's side asks as well. */
export async function confirmOwnJob(
  site: SiteConfig,
  { scheduler, schedulerJobId }: Allocation,
): Promise<{ readonly queue?: string; readonly gid?: number }> {
  return await knownSchedulers[scheduler].authorize(site.scheduler).confirmJob(schedulerJobId);
}
