import type { AllocatedHost, Allocation } from '../ports/scheduler.ts';
import { JobError } from '../values/errors.ts';
import { requireJobKey } from '../contract/job-key.ts';
import { invalidAllocation, mergeSlots, quote } from '../allocation/merge-slots.ts';
import { readGpus } from '../allocation/read-gpus.ts';
import { readHostFile } from './read-host-file.ts';

/**
 * What LSF gave to the job, as the environment of its batch script says. Hosts in LSF's order, each once: the first is
 * the one on which the script runs. Fails with `ALLOCATION_INVALID`, naming the variable.
 */
export function readAllocation(environment: NodeJS.ProcessEnv): Allocation {
  const { id, index } = readJobId(environment);
  const hosts = readHosts(environment);
  // LSF tells a job's processes of their own host's (IBM: "GPU access enforcement").
  const gpus = readGpus(environment['CUDA_VISIBLE_DEVICES']);
  return {
    scheduler: 'lsf',
    schedulerJobId: index === '0' ? id : `${id}[${index}]`,
    job: requireJobKey(index === '0' ? id : `${id}_${index}`),
    hosts: hosts.map((host, index) => ({ ...host, ...(index > 0 || gpus.length === 0 ? {} : { gpus }) })),
  };
}

/** `LSB_JOBINDEX` is 0 for a job that is no element of an array. */
function readJobId(environment: NodeJS.ProcessEnv): { readonly id: string; readonly index: string } {
  const id = environment['LSB_JOBID'] ?? '';
  if (id === '') {
    throw new JobError({
      code: 'NOT_IN_A_JOB',
      message: 'LSB_JOBID is not set: this is no LSF job.',
      hint: 'Call hpc-submit-dockerjob in a batch script and submit that with bsub.',
    });
  }
  if (!/^[1-9][0-9]{0,17}$/.test(id)) throw invalid(`LSB_JOBID is ${quote(id)}, not a job id`);
  const index = environment['LSB_JOBINDEX'] ?? '0';
  if (!/^(?:0|[1-9][0-9]{0,8})$/.test(index)) throw invalid(`LSB_JOBINDEX is ${quote(index)}, not an index`);
  return { id, index };
}

/** The file names every slot; LSF leaves LSB_HOSTS out when it gets long, and sets the file only in newer releases. */
function readHosts(environment: NodeJS.ProcessEnv): readonly AllocatedHost[] {
  const file = environment['LSB_DJOB_HOSTFILE'] ?? '';
  if (file !== '') return mergeSlots('LSB_DJOB_HOSTFILE', 'LSF', readHostFile(file));
  const pairs = splitWords(environment['LSB_MCPU_HOSTS']);
  if (pairs.length > 0) return mergeSlots('LSB_MCPU_HOSTS', 'LSF', readPairs(pairs));
  const names = splitWords(environment['LSB_HOSTS']);
  if (names.length > 0) return mergeSlots('LSB_HOSTS', 'LSF', names.map(oneSlot));
  throw invalid('none of LSB_DJOB_HOSTFILE, LSB_MCPU_HOSTS and LSB_HOSTS is set');
}

/** `hostA 4 hostB 2`, with a blank at the end as some releases write it. */
function readPairs(words: readonly string[]): readonly AllocatedHost[] {
  if (words.length % 2 !== 0) throw invalid('LSB_MCPU_HOSTS does not give a number of slots for each host');
  const hosts: AllocatedHost[] = [];
  for (let position = 0; position < words.length; position += 2) {
    const [name = '', count = ''] = words.slice(position, position + 2);
    if (!/^[1-9][0-9]{0,4}$/.test(count)) throw invalid(`LSB_MCPU_HOSTS gives ${quote(name)} ${quote(count)} slots`);
    hosts.push({ name, slots: Number(count) });
  }
  return hosts;
}

function oneSlot(name: string): AllocatedHost {
  return { name, slots: 1 };
}

function splitWords(text: string | undefined): readonly string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}

function invalid(reason: string): JobError {
  return invalidAllocation('LSF', reason);
}
