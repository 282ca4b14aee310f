import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { endWithScheduler, pauseMs, usualPace } from '../../../src/helper/keeper/follow-scheduler.ts';
import type { ConfirmedJob } from '../../../src/ports/scheduler.ts';
import { JobError } from '../../../src/values/errors.ts';
import { makePlan } from '../../support/make-plan.ts';

const plan = makePlan();
const pace = { everyMs: 2, youngMs: 2, againMs: 2, beforeScriptMs: 2 };

const confirmed = (...hosts: string[]): ConfirmedJob => ({ job: plan.job, schedulerJobId: '12', uid: 2001, hosts });
const planned = confirmed(...plan.nodes.map((node) => node.host));

/** A running job that has these hosts, one answer after the other, and the last one for ever. */
function movingJob(...answers: readonly (ConfirmedJob | Error)[]) {
  let asked = 0;
  return {
    isOver: () => Promise.resolve(false),
    confirmJob: (): Promise<ConfirmedJob> => {
      const answer = answers[Math.min(asked++, answers.length - 1)] ?? planned;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    count: () => asked,
  };
}

/** Gives the answers one after the other, and the last one for ever; counts the questions. */
function authorityOf(...answers: readonly (boolean | Error)[]) {
  const asked: string[] = [];
  return {
    asked,
    confirmJob: () => Promise.reject(new JobError({ code: 'JOB_NOT_YOURS', message: 'It is not known.' })),
    isOver: (id: string): Promise<boolean> => {
      const answer = answers[Math.min(asked.push(id), answers.length) - 1] ?? false;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  };
}

describe('endWithScheduler', () => {
  it('ends the job when its scheduler has said twice in a row that it is over', async () => {
    const authority = authorityOf(false, true, new Error('no answer'), true, false, true, true);
    const ended = endWithScheduler(authority, { plan }, new AbortController().signal, undefined, pace);
    await expect.poll(() => ended.aborted).toBe(true);
    expect(ended.reason).toMatchObject({ code: 'TERMINATED' });
    expect(authority.asked).toEqual(Array(7).fill('12'));
  });

  it('ends the job when its scheduler has said twice in a row that it has other hosts', async () => {
    const elsewhere = confirmed('node99');
    const authority = movingJob(planned, elsewhere, new Error('no answer'), elsewhere, planned, elsewhere);
    const ended = endWithScheduler(authority, { plan }, new AbortController().signal, undefined, pace);
    await expect.poll(() => ended.aborted).toBe(true);
    expect(ended.reason).toMatchObject({ code: 'TERMINATED' });
    expect(authority.count()).toBe(7);
  });

  it('ends a job that its scheduler is ending, however long that lasts', async () => {
    const authority = movingJob(planned, new JobError({ code: 'TERMINATED', message: 'It was cancelled.' }));
    const ended = endWithScheduler(authority, { plan }, new AbortController().signal, undefined, pace);
    await expect.poll(() => ended.aborted).toBe(true);
  });

  it('ends no job that has more hosts than it uses', async () => {
    const authority = movingJob(confirmed(...planned.hosts, 'node99'));
    const over = new AbortController();
    const ended = endWithScheduler(authority, { plan }, over.signal, undefined, pace);
    await expect.poll(() => authority.count()).toBeGreaterThan(3);
    over.abort();
    expect(ended.aborted).toBe(false);
  });

  it('ends a job that has fewer slots on one host than it was opened with', async () => {
    const [first = '', ...others] = planned.hosts;
    const withSlots = (count: number): ConfirmedJob => ({
      ...planned,
      slots: new Map([[first, count], ...others.map((host) => [host, 4] as const)]),
    });
    const authority = movingJob(withSlots(4), withSlots(8), planned, withSlots(3));
    const given = withSlots(4);
    const ended = endWithScheduler(authority, { plan, given }, new AbortController().signal, undefined, pace);
    await expect.poll(() => ended.aborted).toBe(true);
    expect(ended.reason).toMatchObject({ code: 'TERMINATED' });
    expect(authority.count()).toBe(5);
  });

  it('asks no more once the job is over', async () => {
    const authority = authorityOf(false);
    const over = new AbortController();
    const ended = endWithScheduler(authority, { plan }, over.signal, undefined, pace);
    await expect.poll(() => authority.asked.length).toBeGreaterThan(2);
    over.abort();
    await pause(10);
    const count = authority.asked.length;
    await pause(30);
    expect(authority.asked).toHaveLength(count);
    expect(ended.aborted).toBe(false);
  });

  it('asks often while a job waits for its script, and seldom once that has come', async () => {
    const authority = authorityOf(false);
    const over = new AbortController();
    const came = Promise.withResolvers<undefined>();
    const waiting = { ...plan, command: { kind: 'later' } } as const;
    const seldom = { everyMs: 60_000, youngMs: 60_000, againMs: 60_000, beforeScriptMs: 2 };
    endWithScheduler(authority, { plan: waiting }, over.signal, came.promise, seldom);
    await expect.poll(() => authority.asked.length).toBeGreaterThan(3);
    came.resolve(undefined);
    await pause(30);
    const count = authority.asked.length;
    await pause(50);
    expect(authority.asked).toHaveLength(count);
    over.abort();
  });
});

describe('pauseMs', () => {
  it.each([
    ['of a young job', false, 0, [2500, 7500]],
    ['of one that has run for 20 s', false, 20_000, [10_000, 30_000]],
    ['of one that has run for an hour', false, 3_600_000, [30_000, 90_000]],
    ['of one that seems to have left', true, 3_600_000, [2500, 7500]],
  ])('%s lies in a range, and nobody knows where', (_, isInDoubt, ageMs, range) => {
    expect([0, 1].map((chance) => pauseMs({ ...usualPace, chance: () => chance }, isInDoubt, ageMs))).toEqual(range);
    expect(new Set(Array.from({ length: 10 }, () => pauseMs(usualPace, isInDoubt, ageMs))).size).toBeGreaterThan(1);
  });
});
