import type { AllocatedHost, Allocation } from '../ports/scheduler.ts';
import { JobError } from '../values/errors.ts';
import { requireJobKey } from '../contract/job-key.ts';
import { invalidAllocation, mergeSlots, quote } from '../allocation/merge-slots.ts';
import { readPeHostfile } from './read-pe-hostfile.ts';

/**
 * What Grid Engine gave to the job, as the environment of its batch script says. The host on which the script runs comes
 * first, the others in Grid Engine's order. Fails with `ALLOCATION_INVALID`, naming the variable.
 */
export function readAllocation(environment: NodeJS.ProcessEnv): Allocation {
  const { id, task } = readJobId(environment);
  return {
    scheduler: 'gridengine',
    schedulerJobId: task === undefined ? id : `${id}.${task}`,
    job: requireJobKey(task === undefined ? id : `${id}_${task}`),
    hosts: putFirst(environment['HOSTNAME'] ?? '', readHosts(environment)),
  };
}

/** `SGE_TASK_ID` is the word "undefined" for a job that is no element of an array. */
function readJobId(environment: NodeJS.ProcessEnv): { readonly id: string; readonly task: string | undefined } {
  const id = environment['JOB_ID'] ?? '';
  if (id === '') {
    throw new JobError({
      code: 'NOT_IN_A_JOB',
      message: 'JOB_ID is not set: this is no Grid Engine job.',
      hint: 'Call hpc-submit-dockerjob in a batch script and submit that with qsub.',
    });
  }
  if (!/^[1-9][0-9]{0,17}$/.test(id)) throw invalid(`JOB_ID is ${quote(id)}, not a job id`);
  const task = environment['SGE_TASK_ID'] ?? 'undefined';
  if (task === 'undefined') return { id, task: undefined };
  if (!/^[1-9][0-9]{0,8}$/.test(task)) throw invalid(`SGE_TASK_ID is ${quote(task)}, not an index`);
  return { id, task };
}

/** Without a parallel environment a job has one slot, on the host of its script. */
function readHosts(environment: NodeJS.ProcessEnv): readonly AllocatedHost[] {
  const file = environment['PE_HOSTFILE'] ?? '';
  const entries = file === '' ? [{ name: environment['HOSTNAME'] ?? '', slots: 1 }] : readPeHostfile(file);
  return mergeSlots(file === '' ? 'HOSTNAME' : 'PE_HOSTFILE', 'Grid Engine', entries);
}

/** The first node is the one next to the script; names may be short in one place and long in another. */
function putFirst(here: string, hosts: readonly AllocatedHost[]): readonly AllocatedHost[] {
  const short = (name: string): string => name.split('.')[0] ?? name;
  const own = hosts.find(({ name }) => name === here) ?? hosts.find(({ name }) => short(name) === short(here));
  if (own !== undefined) return [own, ...hosts.filter((host) => host !== own)];
  throw invalid(`HOSTNAME is ${quote(here)}, which is none of the job's hosts`);
}

function invalid(reason: string): JobError {
  return invalidAllocation('Grid Engine', reason);
}
