import { describe, expect, it } from 'vitest';
import { refuseManyTasks } from '../../../src/slurm/refuse-many-tasks.ts';

const inStep = '4:memory:/slurm/uid_2001/job_7/step_0/task_0\n';
const inBatch = '4:memory:/slurm/uid_2001/job_7/step_batch/task_0\n';

describe('refuseManyTasks', () => {
  it.each([
    ['every task of a step', inStep],
    ['also where no cgroup tells of steps', '0::/user.slice\n'],
  ])('refuses %s', (_, cgroup) => {
    for (const SLURM_PROCID of ['0', '1'])
      expect(() => refuseManyTasks({ SLURM_STEP_NUM_TASKS: '2', SLURM_PROCID }, cgroup)).toThrow(
        expect.objectContaining({ code: 'USAGE' }),
      );
  });

  it.each([
    ['the only task of a step', { SLURM_STEP_NUM_TASKS: '1' }, inStep],
    ['a batch script', {}, inBatch],
    ['a batch script that was submitted in a step', { SLURM_STEP_NUM_TASKS: '4' }, inBatch],
    ['what is no number', { SLURM_STEP_NUM_TASKS: 'many' }, inStep],
  ])('lets %s through', (_, environment, cgroup) => {
    expect(() => refuseManyTasks(environment, cgroup)).not.toThrow();
  });
});
