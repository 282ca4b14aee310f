import type { Allocation } from '../ports/scheduler.ts';
import { JobError } from '../values/errors.ts';
import { requireJobKey } from '../contract/job-key.ts';
import { invalidAllocation, mergeSlots, quote } from '../allocation/merge-slots.ts';
import { readSmallFile } from '../system/read-small-file.ts';

/** `123.server`, or `123[4].server` for an element of an array (OpenPBS and Torque). */
const jobIdForm = /^([1-9][0-9]{0,17})(?:\[([0-9]{1,9})\])?(?:\.[A-Za-z0-9.-]+)?$/;

/** An allocation with what pbsdsh needs to reach its hosts. */
export interface PbsAllocation extends Allocation {
  /** Of each host in turn the number of its first line in the file of PBS_NODEFILE, from 0. */
  readonly nodeIndexes: readonly number[];
}

/**
 * What PBS gave to the job, as the environment of its batch script says (qsub(1B)). PBS_NODEFILE holds a line for each
 * slot: a chunk's `mpiprocs`, else one for the chunk; its first line is the host of the script. Fails with
 * `ALLOCATION_INVALID`, naming the variable.
 */
export function readAllocation(environment: NodeJS.ProcessEnv): PbsAllocation {
  const { id, index } = readJobId(environment['PBS_JOBID'] ?? '');
  const file = environment['PBS_NODEFILE'] ?? '';
  if (file === '') throw invalid('PBS_NODEFILE is not set');
  const lines = readSmallFile('PBS_NODEFILE', file).split('\n');
  const names = lines.map((line) => line.trim()).filter((line) => line !== '');
  const hosts = mergeSlots(
    'PBS_NODEFILE',
    'PBS',
    names.map((name) => ({ name, slots: 1 })),
  );
  const firstLines = new Map<string, number>();
  for (const [index, name] of names.entries()) if (!firstLines.has(name)) firstLines.set(name, index);
  return {
    scheduler: 'pbs',
    schedulerJobId: index === undefined ? id : `${id}[${index}]`,
    job: requireJobKey(index === undefined ? id : `${id}_${index}`),
    hosts,
    nodeIndexes: hosts.map(({ name }) => firstLines.get(name) ?? 0),
  };
}

function readJobId(text: string): { readonly id: string; readonly index: string | undefined } {
  if (text === '') {
    throw new JobError({
      code: 'NOT_IN_A_JOB',
      message: 'PBS_JOBID is not set: this is no PBS job.',
      hint: 'Call hpc-submit-dockerjob in a batch script and submit that with qsub.',
    });
  }
  const [, id, index] = jobIdForm.exec(text) ?? [];
  if (id === undefined) throw invalid(`PBS_JOBID is ${quote(text)}, not a job id`);
  // Everybody writes an index without zeroes before it, but for 0 itself.
  if (index !== undefined && !/^(?:0|[1-9]\d*)$/.test(index))
    throw invalid(`PBS_JOBID is ${quote(text)}, not a job id`);
  return { id, index };
}

function invalid(reason: string): JobError {
  return invalidAllocation('PBS', reason);
}
