import { describe, expect, it } from 'vitest';
import { jobRequestSchema } from '../../../src/contract/job-request.ts';
import type { SchedulerName } from '../../../src/contract/schedulers.ts';
import { isAnySchedulerJobId, isSchedulerJobId } from '../../../src/contract/schedulers.ts';

describe('isSchedulerJobId', () => {
  it.each<[SchedulerName, string, boolean]>([
    ['slurm', '12', true],
    ['slurm', '12[3]', false],
    ['lsf', '12', true],
    ['lsf', '12[3]', true],
    ['lsf', '12[0]', false],
    ['lsf', '12[1-3]', false],
    ['lsf', '12[3] ', false],
    ['lsf', '-12', false],
    ['gridengine', '12', true],
    ['gridengine', '12.3', true],
    ['gridengine', '12.0', false],
    ['gridengine', '12[3]', false],
    ['pbs', '12[0]', true],
    ['pbs', '12[]', false],
    ['pbs', '12.server', false],
  ])('of %s is for %j %s', (scheduler, id, isOne) => {
    expect(isSchedulerJobId(scheduler, id)).toBe(isOne);
  });

  it.each(['', '0', '12_3', '--help', '12\n'])('is of no scheduler: %j', (id) => {
    expect(isAnySchedulerJobId(id)).toBe(false);
  });
});

describe('a request', () => {
  const request = {
    protocol: 1,
    launchId: '0123456789abcdef',
    scheduler: 'slurm',
    schedulerJobId: '12',
    job: '12',
    hosts: [{ name: 'n1', slots: 1 }],
    command: { kind: 'argv', argv: ['true'] },
    workdir: '/scratch',
    environment: {},
    mounts: [],
  };

  it.each([
    ['slurm', '12', true],
    ['slurm', '12[3]', false],
    ['lsf', '12[3]', true],
    ['condor', '12', false],
  ])('of %s with the id %s is valid: %s', (scheduler, schedulerJobId, isValid) => {
    expect(jobRequestSchema.safeParse({ ...request, scheduler, schedulerJobId }).success).toBe(isValid);
  });
});
