import { cpus } from 'node:os';
import { describe, expect, it } from 'vitest';
import { parseSite } from '../../../src/config/parse-site.ts';
import { confirmShare, limitsOf } from '../../../src/helper/node/confirm-share.ts';
import type { ConfirmedJob, SchedulerAuthority } from '../../../src/ports/scheduler.ts';
import { requireJobKey } from '../../../src/contract/job-key.ts';
import type { ErrorCode } from '../../../src/values/errors.ts';
import { JobError } from '../../../src/values/errors.ts';
import { makePlan } from '../../support/make-plan.ts';

const plan = makePlan({ hosts: ['c1', 'c2'] });

function authorityThatSays(facts: Partial<ConfirmedJob>): SchedulerAuthority {
  const confirmed = { job: plan.job, schedulerJobId: '12', uid: 2001, hosts: ['c1', 'c2'], ...facts };
  return {
    name: 'lsf',
    signalsBatchScript: true,
    isHere: () => true,
    confirmJob: () => Promise.resolve(confirmed),
    findOwner: () => Promise.resolve(undefined),
    isOver: () => Promise.resolve(false),
    findJobCgroup: () => undefined,
  };
}

describe('confirmShare', () => {
  it('gives the job’s slots on this host', async () => {
    const authority = authorityThatSays({ slots: new Map([['c2', 3]]) });
    expect(await confirmShare(authority, plan, plan.nodes[1]!)).toEqual({ slots: 3 });
    expect(await confirmShare(authorityThatSays({}), plan, plan.nodes[1]!)).toEqual({ slots: undefined });
  });

  it.each<[string, Partial<ConfirmedJob>]>([
    ['does not run on this host', { hosts: ['c1'] }],
    ['belongs to another user', { uid: 2002 }],
    ['is another one', { job: requireJobKey('12_3') }],
  ])('refuses a job that %s', async (_, facts) => {
    await expect(confirmShare(authorityThatSays(facts), plan, plan.nodes[1]!)).rejects.toMatchObject({
      code: 'JOB_NOT_YOURS',
    });
  });
});

describe('a job that the scheduler does not confirm', () => {
  const refusing = (code: ErrorCode, isOver: boolean): SchedulerAuthority => ({
    ...authorityThatSays({}),
    confirmJob: () => Promise.reject(new JobError({ code, message: 'not running' })),
    isOver: () => Promise.resolve(isOver),
  });

  it.each<[string, ErrorCode, boolean, ErrorCode]>([
    ['was cancelled where the scheduler knows it no more', 'JOB_NOT_YOURS', true, 'TERMINATED'],
    ['is not the caller’s where it runs', 'JOB_NOT_YOURS', false, 'JOB_NOT_YOURS'],
    ['may be well where the scheduler does not answer', 'SCHEDULER_UNREACHABLE', true, 'SCHEDULER_UNREACHABLE'],
  ])('%s', async (_, told, isOver, code) => {
    await expect(confirmShare(refusing(told, isOver), plan, plan.nodes[1]!)).rejects.toMatchObject({ code });
  });
});

describe('limitsOf', () => {
  const site = parseSite('version: 1\ncontainer: {memoryPerSlotBytes: 1000}');

  it('gives as many processors as slots, and memory for each of them', () => {
    expect(limitsOf(site, { slots: 1 })).toEqual({ cpus: 1, memoryBytes: 1000 });
    expect(limitsOf(parseSite('version: 1'), { slots: 1 })).toEqual({ cpus: 1 });
  });

  it('gives the memory that the job asked the scheduler for, rather than the site’s', () => {
    expect(limitsOf(site, { slots: 2, memoryPerSlotBytes: 3000 })).toMatchObject({ memoryBytes: 6000 });
  });

  it('gives no more processors than the host has, which the engine would refuse', () => {
    expect(limitsOf(site, { slots: 60_000 })).toMatchObject({ cpus: cpus().length });
  });

  it('limits nothing where the scheduler tells no slots', () => {
    expect(limitsOf(site, { slots: undefined })).toEqual({});
  });
});
