import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startRunClock } from '../../../src/helper/keeper/run-clock.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** A clock of 100 s that has run for 60 s, of which all nodes were paused for the last 30. */
function pausedFor30(readSuspendedSeconds?: () => Promise<number>) {
  const clock = startRunClock(100_000, readSuspendedSeconds);
  vi.advanceTimersByTime(30_000);
  clock.setPaused(true);
  vi.advanceTimersByTime(10_000);
  clock.setPaused(true);
  vi.advanceTimersByTime(20_000);
  return clock;
}

it.each([
  ['that the scheduler has suspended for as long', () => Promise.resolve(30), 70_000],
  ['that the scheduler has suspended for longer', () => Promise.resolve(500), 70_000],
  ['that the scheduler has suspended for a part of it', () => Promise.resolve(12), 52_000],
  ['that the scheduler has not suspended', () => Promise.resolve(0), 40_000],
  ['whose scheduler does not tell', undefined, 40_000],
  ['whose scheduler is away', () => Promise.reject(new Error('away')), 10_000],
])('of a paused job %s leaves the right time', async (_, readSuspendedSeconds, left) => {
  expect(await pausedFor30(readSuspendedSeconds).leftMs()).toBeCloseTo(left, -1);
});

it('ends a job whose scheduler is away when not even its pauses would excuse it', async () => {
  const clock = pausedFor30(() => Promise.reject(new Error('away')));
  clock.setPaused(false);
  vi.advanceTimersByTime(69_000);
  expect(await clock.leftMs()).toBeCloseTo(1000, -1);
  vi.advanceTimersByTime(2000);
  expect(await clock.leftMs()).toBeLessThanOrEqual(0);
});

it('does not ask the scheduler about a job that was never paused', async () => {
  const ask = vi.fn(() => Promise.resolve(50));
  const clock = startRunClock(1000, ask);
  vi.advanceTimersByTime(1500);
  expect(await clock.leftMs()).toBe(-500);
  expect(ask).not.toHaveBeenCalled();
});
