import { describe, expect, it } from 'vitest';
import { readAllocation, readAllocationInStep } from '../../../src/slurm/read-allocation.ts';

/** The environment of a batch script that was given -N 3 -n 6, as Slurm 22.05 sets it. */
const batch: NodeJS.ProcessEnv = {
  SLURM_JOB_ID: '12',
  SLURM_JOBID: '12',
  SLURM_JOB_NODELIST: 'n[1-3]',
  SLURM_NODELIST: 'n[1-3]',
  SLURM_JOB_NUM_NODES: '3',
  SLURM_NNODES: '3',
  SLURM_TASKS_PER_NODE: '4,1(x2)',
  SLURM_JOB_CPUS_PER_NODE: '4,1(x2)',
  SLURMD_NODENAME: 'n1',
  SLURM_PROCID: '0',
};

describe('readAllocation', () => {
  it('gives hosts in Slurm’s order with their slots', () => {
    expect(readAllocation(batch)).toEqual({
      scheduler: 'slurm',
      schedulerJobId: '12',
      job: '12',
      hosts: [
        { name: 'n1', slots: 4 },
        { name: 'n2', slots: 1 },
        { name: 'n3', slots: 1 },
      ],
    });
  });

  it('knows the GPUs of the first host, which is all that Slurm tells', () => {
    const { hosts } = readAllocation({ ...batch, SLURM_JOB_GPUS: '2,3' });
    expect(hosts.map(({ gpus }) => gpus)).toEqual([['2', '3'], undefined, undefined]);
  });

  it('reads the old names of variables', () => {
    const old = {
      SLURM_JOBID: '7',
      SLURM_NODELIST: 'a',
      SLURM_NNODES: '1',
      SLURM_TASKS_PER_NODE: '2',
      SLURMD_NODENAME: 'a',
    };
    expect(readAllocation(old)).toMatchObject({ schedulerJobId: '7', hosts: [{ name: 'a', slots: 2 }] });
  });

  it('names an element of an array by the array and its index', () => {
    const element = { ...batch, SLURM_ARRAY_JOB_ID: '10', SLURM_ARRAY_TASK_ID: '0' };
    expect(readAllocation(element)).toMatchObject({ schedulerJobId: '12', job: '10_0' });
  });

  describe('in a step of one task', () => {
    const step = { ...batch, SLURM_STEP_ID: '0', SLURM_STEP_TASKS_PER_NODE: '1', SLURM_TASKS_PER_NODE: '1' };
    const slotsIn = (environment: NodeJS.ProcessEnv, cgroup: string): number[] =>
      readAllocationInStep(environment, cgroup).hosts.map(({ slots }) => slots);

    it('counts the slots of the job, not of the step', () => {
      expect(slotsIn(step, '4:freezer:/slurm_n1/uid_1/job_12/step_0')).toEqual([4, 1, 1]);
      expect(slotsIn({ ...step, SLURM_CPUS_PER_TASK: '2' }, '')).toEqual([2, 1, 1]);
    });

    it('is not taken for one where the batch script has variables of the step from which it was submitted', () => {
      const cgroup = '4:freezer:/slurm_n1/uid_1/job_12/step_batch';
      expect(slotsIn({ ...step, SLURM_TASKS_PER_NODE: '1(x3)' }, cgroup)).toEqual([1, 1, 1]);
    });
  });

  it('counts slots by CPUs and CPUs per task when tasks are not told', () => {
    const others = { ...batch, SLURM_TASKS_PER_NODE: undefined };
    const slots = (more: NodeJS.ProcessEnv): number[] =>
      readAllocation({ ...others, ...more }).hosts.map((host) => host.slots);
    expect(slots({})).toEqual([4, 1, 1]);
    expect(slots({ SLURM_CPUS_PER_TASK: '2' })).toEqual([2, 1, 1]);
  });

  it('does not divide told tasks by CPUs per task', () => {
    const { hosts } = readAllocation({ ...batch, SLURM_CPUS_PER_TASK: '2', SLURM_JOB_CPUS_PER_NODE: '8,2(x2)' });
    expect(hosts.map((host) => host.slots)).toEqual([4, 1, 1]);
  });

  it.each<[string, NodeJS.ProcessEnv]>([
    ['SLURM_JOB_ID', { SLURM_JOB_ID: '12_3' }],
    ['SLURM_JOB_ID', { SLURM_JOB_ID: '0' }],
    ['SLURM_JOB_ID', { SLURM_JOB_ID: '1\n2' }],
    ['SLURM_JOB_NODELIST', { SLURM_JOB_NODELIST: '', SLURM_NODELIST: undefined }],
    ['SLURM_JOB_NODELIST is wrong: The host list "n[3-1]"', { SLURM_JOB_NODELIST: 'n[3-1]' }],
    ['SLURM_JOB_NODELIST names n1 twice', { SLURM_JOB_NODELIST: 'n1,n2,n1' }],
    ['SLURM_JOB_NUM_NODES', { SLURM_JOB_NUM_NODES: '2' }],
    ['SLURM_TASKS_PER_NODE', { SLURM_TASKS_PER_NODE: '1' }],
    ['SLURM_TASKS_PER_NODE', { SLURM_TASKS_PER_NODE: '1(x999999)' }],
    ['SLURM_JOB_CPUS_PER_NODE', { SLURM_JOB_CPUS_PER_NODE: 'x' }],
    ['SLURM_ARRAY_TASK_ID', { SLURM_ARRAY_JOB_ID: '12' }],
    ['SLURM_ARRAY_TASK_ID', { SLURM_ARRAY_JOB_ID: '12', SLURM_ARRAY_TASK_ID: 'x' }],
    ['SLURM_HET_SIZE', { SLURM_HET_SIZE: '2' }],
    ['SLURMD_NODENAME is "n2", but the job\'s first host is n1', { SLURMD_NODENAME: 'n2' }],
    ['SLURMD_NODENAME is not set', { SLURMD_NODENAME: undefined }],
    ['SLURM_PROCID is "1"', { SLURM_PROCID: '1' }],
  ])('names %s when it is wrong', (name, more) => {
    expect(() => readAllocation({ ...batch, ...more })).toThrow(
      expect.objectContaining({
        code: 'ALLOCATION_INVALID',
        message: expect.stringContaining(name) as string,
      }) as Error,
    );
  });

  it('says so outside a job', () => {
    expect(() => readAllocation({})).toThrow(expect.objectContaining({ code: 'NOT_IN_A_JOB' }) as Error);
  });
});
