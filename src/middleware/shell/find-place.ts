import { hostname } from 'node:os';
import { parseJobKey } from '../../contract/job-key.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { isAnySchedulerJobId, schedulerNames } from '../../contract/schedulers.ts';
import type { JobReach, ReachedJob } from '../../ports/scheduler.ts';
import { knownSchedulers } from '../../schedulers/known-schedulers.ts';
import { findProgram } from '../../system/find-program.ts';
import { JobError } from '../../values/errors.ts';

/** Where a shell is to be opened. */
export type ShellPlace =
  /** By the helper of this host, which says so if it is the wrong one. */
  | { readonly kind: 'here'; readonly job: JobKey; readonly index: number }
  | {
      readonly kind: 'elsewhere';
      readonly job: JobKey;
      readonly reach: JobReach;
      readonly reached: ReachedJob;
      readonly host: string;
      readonly index: number;
    };

export interface AskedPlace {
  /** As the user names it, in any scheduler's form. */
  readonly job: string;
  /** Index or host; undefined: the first node, where the command runs. */
  readonly node: string | undefined;
}

/** Who can be asked here. */
export interface ShellSources {
  readonly reaches: readonly JobReach[];
  /** True when all schedulers of this host are among them: who is not known to them has no job. */
  readonly areAll: boolean;
}

/** The schedulers whose commands this host has. */
export function findSources(environment: NodeJS.ProcessEnv): ShellSources {
  const commandPath = `${environment['PATH'] ?? ''}:/usr/bin:/bin`;
  const here = schedulerNames
    .map((name) => knownSchedulers[name])
    .filter(({ programs: [first = ''] }) => findProgram(first, commandPath) !== undefined)
    .map((scheduler) => scheduler.reach?.(commandPath, environment));
  const reaches = here.filter((reach) => reach !== undefined);
  return { reaches, areAll: reaches.length > 0 && reaches.length === here.length };
}

/**
 * Where the node of a job is: by the scheduler's word where it has one for users, else on this host. Fails with
 * `JOB_KEY_INVALID` for what is no job id, with `JOB_NOT_YOURS` for a job that does not run or is not the caller's, with
 * `USAGE` for a node that the job does not have.
 */
export async function findPlace(
  asked: AskedPlace,
  { reaches, areAll }: ShellSources,
  ownHost = hostname(),
): Promise<ShellPlace> {
  const key = readJob(asked.job);
  for (const reach of reaches) {
    const reached = await reach.findJob(key);
    if (reached === undefined || reached.hosts.length === 0) continue;
    const index = chooseNode(asked.node, reached);
    const host = reached.hosts[index] ?? '';
    if (isSame(host, ownHost)) return { kind: 'here', job: reached.job, index };
    return { kind: 'elsewhere', job: reached.job, reach, reached, host, index };
  }
  if (areAll) {
    throw new JobError({
      code: 'JOB_NOT_YOURS',
      message: `Job ${key} does not run, belongs to another user, or is not known.`,
      hint: 'Look at your running jobs: squeue --me.',
    });
  }
  return { kind: 'here', job: key, index: readIndex(asked.node ?? '0') ?? fail(asked) };
}

/** `772`, `772_3`; and of an array's element as LSF and Grid Engine write it: `772[3]`, `772.3`. */
export function readJob(text: string): JobKey {
  const key = parseJobKey(isAnySchedulerJobId(text) ? text.replace(/[[.](\d+)\]?$/, '_$1') : text);
  if (key !== undefined) return key;
  throw new JobError({
    code: 'JOB_KEY_INVALID',
    message: `${JSON.stringify(text.slice(0, 60))} is not a job.`,
    hint: 'Give the job id as the scheduler shows it: 772, or 772_3 for an element of an array.',
  });
}

function chooseNode(node: string | undefined, { job, hosts }: ReachedJob): number {
  if (node === undefined) return 0;
  const index = readIndex(node) ?? hosts.findIndex((host) => isSame(host, node));
  if (hosts[index] !== undefined) return index;
  const shown = hosts.slice(0, 8).join(', ');
  throw new JobError({
    code: 'USAGE',
    message: `${JSON.stringify(node.slice(0, 60))} is no node of job ${job}.`,
    hint: `Its hosts are ${shown}${hosts.length > 8 ? ', …' : ''}: name one of them, or its number, counted from 0.`,
  });
}

function readIndex(text: string): number | undefined {
  return /^(?:0|[1-9][0-9]{0,5})$/.test(text) ? Number(text) : undefined;
}

/** By full or short names. */
function isSame(one: string, other: string): boolean {
  const short = (name: string): string => name.split('.')[0] ?? name;
  return one === other || short(one) === short(other);
}

/** Without the scheduler's word nobody knows the node of a host but the helper there. */
function fail({ node = '' }: AskedPlace): never {
  throw new JobError({
    code: 'USAGE',
    message: `${JSON.stringify(node.slice(0, 60))} is not the number of a node, and the scheduler of this job does not tell its hosts here.`,
    hint: 'Call it on a host of the job, with the number of the node there, counted from 0.',
  });
}
