import { expandCountList } from './count-list.ts';
import { JobError } from '../values/errors.ts';
import { expandHostList } from './host-list.ts';
import { parseJobKey } from '../contract/job-key.ts';
import type { JobKey } from '../contract/job-key.ts';
import { invalidAllocation, quote } from '../allocation/merge-slots.ts';
import { readGpus } from '../allocation/read-gpus.ts';
import type { AllocatedHost, Allocation } from '../ports/scheduler.ts';

/** Digits of a size in MiB or of a count of CPUs per task. */
const numberPattern = /^\d{1,12}$/;

/**
 * What Slurm gave to the job, as the environment of its batch script says. The script must run once, on the job's
 * first host: there the master's container starts. Fails with `ALLOCATION_INVALID`, naming the variable.
 */
export function readAllocation(environment: NodeJS.ProcessEnv): Allocation {
  const read = variableReader(environment);
  const schedulerJobId = readJobId(read);
  if (read('SLURM_HET_SIZE') !== undefined) throw heterogeneous();
  const names = readHostNames(read);
  demandFirstHost(read, names);
  return { scheduler: 'slurm', schedulerJobId, job: readJobKey(read, schedulerJobId), hosts: readHosts(read, names) };
}

/**
 * The same in a step of the job, as `srun --pty bash` in a shell of salloc: its counts of tasks are the step's, so the
 * job's processors count. A batch script may have such variables of the job from which it was submitted.
 */
export function readAllocationInStep(environment: NodeJS.ProcessEnv, procCgroupText: string): Allocation {
  const isStep = environment['SLURM_STEP_ID'] !== undefined && !procCgroupText.includes('/step_batch');
  return readAllocation(isStep ? { ...environment, SLURM_TASKS_PER_NODE: undefined } : environment);
}

/** Why a heterogeneous job is refused, when it is submitted and when it starts. */
export function heterogeneous(): JobError {
  return invalid(
    'SLURM_HET_SIZE is set: this is a heterogeneous job',
    'Submit one job without ":" between components, and without a line "#SBATCH hetjob".',
  );
}

/** First of the variables that is set and not empty: newer names stand before their old aliases. */
type Reader = (...names: string[]) => string | undefined;

function variableReader(environment: NodeJS.ProcessEnv): Reader {
  return (...names) => names.map((name) => environment[name]).find((value) => value !== undefined && value !== '');
}

function readJobId(read: Reader): string {
  const id = read('SLURM_JOB_ID', 'SLURM_JOBID');
  if (id === undefined) {
    throw new JobError({
      code: 'NOT_IN_A_JOB',
      message: 'SLURM_JOB_ID is not set: this is no Slurm job.',
      hint: 'Call hpc-submit-dockerjob in a batch script and submit that with sbatch.',
    });
  }
  if (parseJobKey(id) === undefined || id.includes('_')) throw invalid(`SLURM_JOB_ID is ${quote(id)}, not a job id`);
  return id;
}

/** `<array job id>_<index>` for an array's element, as people and squeue name it; else the job id. */
function readJobKey(read: Reader, schedulerJobId: string): JobKey {
  const [arrayJobId, index] = [read('SLURM_ARRAY_JOB_ID'), read('SLURM_ARRAY_TASK_ID')];
  if ((arrayJobId === undefined) !== (index === undefined)) {
    throw invalid('only one of SLURM_ARRAY_JOB_ID and SLURM_ARRAY_TASK_ID is set');
  }
  const text = arrayJobId === undefined ? schedulerJobId : `${arrayJobId}_${index ?? ''}`;
  const key = parseJobKey(text);
  if (key === undefined)
    throw invalid(`SLURM_ARRAY_JOB_ID and SLURM_ARRAY_TASK_ID give ${quote(text)}, not an array's element`);
  return key;
}

function readHostNames(read: Reader): string[] {
  const list = read('SLURM_JOB_NODELIST', 'SLURM_NODELIST');
  if (list === undefined) throw invalid('SLURM_JOB_NODELIST is not set');
  const names = naming('SLURM_JOB_NODELIST', () => expandHostList(list));
  const known = new Set<string>();
  const repeated = names.find((name) => known.size === known.add(name).size);
  if (repeated !== undefined) throw invalid(`SLURM_JOB_NODELIST names ${repeated} twice`);
  const count = read('SLURM_JOB_NUM_NODES', 'SLURM_NNODES');
  if (count !== undefined && count !== String(names.length)) {
    throw invalid(`SLURM_JOB_NUM_NODES is ${quote(count)}, but SLURM_JOB_NODELIST names ${names.length} hosts`);
  }
  return names;
}

/** Slurm runs a batch script on the first host; a shell of salloc or a task of srun may run elsewhere, or many times. */
function demandFirstHost(read: Reader, names: readonly string[]): void {
  const here = read('SLURMD_NODENAME');
  const first = names[0] ?? 'the first host';
  const hint = `Call it in the batch script itself, which Slurm runs on ${first}. In a shell of salloc: srun --nodes=1 --ntasks=1 --nodelist=${first} hpc-submit-dockerjob …`;
  if (here === undefined)
    throw invalid('SLURMD_NODENAME is not set: this shell does not run on a host of the job', hint);
  if (here !== names[0])
    throw invalid(`SLURMD_NODENAME is ${quote(here)}, but the job's first host is ${names[0] ?? 'none'}`, hint);
  const task = read('SLURM_PROCID');
  if (task !== undefined && task !== '0')
    throw invalid(`SLURM_PROCID is ${quote(task)}: srun started this more than once`, hint);
}

function readHosts(read: Reader, names: readonly string[]): AllocatedHost[] {
  const cpus = readCounts(read, names.length, 'SLURM_JOB_CPUS_PER_NODE');
  const slots = readSlots(read, names.length, cpus);
  const gpus = readGpus(read('SLURM_JOB_GPUS'));
  return names.map((name, index) => ({
    name,
    slots: slots[index] ?? 1,
    // Of the host of the batch script, by the manual of sbatch.
    ...(index > 0 || gpus.length === 0 ? {} : { gpus }),
  }));
}

/** Tasks are what MPI calls slots. Without a count of tasks: as many as the CPUs of a host allow, at least one. */
function readSlots(read: Reader, hostCount: number, cpus: readonly number[] | undefined): readonly number[] {
  const tasks = readCounts(read, hostCount, 'SLURM_TASKS_PER_NODE');
  if (tasks !== undefined) return tasks;
  if (cpus === undefined) throw invalid('neither SLURM_TASKS_PER_NODE nor SLURM_JOB_CPUS_PER_NODE is set');
  const cpusPerTask = Math.max(1, readNumber(read, 'SLURM_CPUS_PER_TASK') ?? 1);
  return cpus.map((count) => Math.max(1, Math.floor(count / cpusPerTask)));
}

function readCounts(read: Reader, hostCount: number, name: string): readonly number[] | undefined {
  const text = read(name);
  return text === undefined ? undefined : naming(name, () => expandCountList(text, hostCount));
}

/** What a list says is wrong with it, after the name of the variable that holds it. */
function naming<Value>(variable: string, read: () => Value): Value {
  try {
    return read();
  } catch (thrown) {
    throw thrown instanceof JobError ? invalid(`${variable} is wrong: ${thrown.message.replace(/\.$/, '')}`) : thrown;
  }
}

function readNumber(read: Reader, name: string): number | undefined {
  const text = read(name);
  if (text !== undefined && !numberPattern.test(text)) throw invalid(`${name} is ${quote(text)}, not a number`);
  return text === undefined ? undefined : Number(text);
}

function invalid(reason: string, hint?: string): JobError {
  return invalidAllocation('Slurm', reason, hint);
}
