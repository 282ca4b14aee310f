import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { endWithScheduler } from '../../../src/helper/keeper/follow-scheduler.ts';
import { makePlan } from '../../support/make-plan.ts';

const plan = makePlan();
const pace = { everyMs: 2, beforeScriptMs: 2 };

/** Gives the answers one after the other, and the last one for ever; counts the questions. */
function authorityOf(...answers: readonly (boolean | Error)[]) {
  const asked: string[] = [];
  return {
    asked,
    isOver: (id: string): Promise<boolean> => {
      const answer = answers[Math.min(asked.push(id), answers.length) - 1] ?? false;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  };
}

describe('endWithScheduler', () => {
  it('ends the job when its scheduler has said twice in a row that it is over', async () => {
    const authority = authorityOf(false, true, new Error('no answer'), true, false, true, true);
    const ended = endWithScheduler(authority, plan, new AbortController().signal, undefined, pace);
    await expect.poll(() => ended.aborted).toBe(true);
    expect(ended.reason).toMatchObject({ code: 'TERMINATED' });
    expect(authority.asked).toEqual(Array(7).fill('12'));
  });

  it('asks no more once the job is over', async () => {
    const authority = authorityOf(false);
    const over = new AbortController();
    const ended = endWithScheduler(authority, plan, over.signal, undefined, pace);
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
    endWithScheduler(authority, waiting, over.signal, came.promise, { everyMs: 60_000, beforeScriptMs: 2 });
    await expect.poll(() => authority.asked.length).toBeGreaterThan(3);
    came.resolve(undefined);
    await pause(30);
    const count = authority.asked.length;
    await pause(50);
    expect(authority.asked).toHaveLength(count);
    over.abort();
  });
});
