import { getActiveResourcesInfo } from 'node:process';
import { describe, expect, it, vi } from 'vitest';
import { pause, unlessAborted, within, withDeadline } from '../../../src/system/deadline.ts';
import { retryUntil } from '../../../src/system/retry-until.ts';

const never = new Promise<string>(() => undefined);
const countTimers = (): number => getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
const abortedAfter = (milliseconds: number, reason = new Error('enough')): AbortSignal => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), milliseconds);
  return controller.signal;
};

describe('a pause', () => {
  it('ends with its signal, without a failure', async () => {
    await pause(60_000, { signal: abortedAfter(5) });
    await pause(60_000, { signal: AbortSignal.abort() });
  });
});

describe('work with a deadline', () => {
  it('gives its value, and leaves no timer', async () => {
    const before = countTimers();
    expect(await within(60_000, Promise.resolve('done'), 'late')).toBe('done');
    expect(await withDeadline(60_000, () => Promise.resolve('done'), neverMade)).toBe('done');
    expect(countTimers()).toBe(before);
  });

  it('fails as it fails, and leaves no timer', async () => {
    const before = countTimers();
    await expect(within(60_000, Promise.reject(new Error('broken')), 'late')).rejects.toThrow('broken');
    await expect(withDeadline(60_000, () => Promise.reject(new Error('broken')), neverMade)).rejects.toThrow('broken');
    expect(countTimers()).toBe(before);
  });

  it('is late when it does not end, and its later failure hurts nobody', async () => {
    const failing = pause(20).then((): string => {
      throw new Error('late failure');
    });
    expect(await within(5, failing, 'late')).toBe('late');
    expect(await within(5, never, undefined, { keepsAlive: false })).toBeUndefined();
    await pause(30);
  });

  it('is told by its signal why it is over', async () => {
    let seen: unknown;
    const work = async (over: AbortSignal): Promise<string> => {
      over.addEventListener('abort', () => {
        seen = over.reason;
      });
      return await never;
    };
    const error = new Error('too late');
    await expect(withDeadline(5, work, () => error)).rejects.toBe(error);
    expect(seen).toBe(error);
  });
});

function neverMade(): Error {
  throw new Error('made although nothing is late');
}

describe('work until a signal aborts', () => {
  it('gives its value or nothing', async () => {
    expect(await unlessAborted(new AbortController().signal, Promise.resolve('done'))).toBe('done');
    expect(await unlessAborted(abortedAfter(5), never)).toBeUndefined();
    expect(await unlessAborted(AbortSignal.abort(), never)).toBeUndefined();
  });

  it('leaves no listener', async () => {
    const { signal } = new AbortController();
    const removed = vi.spyOn(signal, 'removeEventListener');
    await unlessAborted(signal, Promise.resolve('done'));
    expect(removed).toHaveBeenCalledOnce();
  });
});

describe('tries', () => {
  it('go on until one gives a value', async () => {
    let tries = 0;
    expect(await retryUntil(() => ((tries += 1) === 3 ? 'found' : undefined), { pauseMs: 1 })).toBe('found');
  });

  it('end at the deadline with nothing, after one at least', async () => {
    const attempt = vi.fn((): Promise<string | undefined> => Promise.resolve(undefined));
    expect(await retryUntil(attempt, { pauseMs: 2, deadlineMs: 10 })).toBeUndefined();
    expect(await retryUntil(attempt, { pauseMs: 1000, deadlineMs: -1 })).toBeUndefined();
    expect(attempt.mock.calls.length).toBeGreaterThan(2);
  });

  it('end with the reason of the signal, or with what a try throws', async () => {
    const none = (): undefined => undefined;
    await expect(retryUntil(none, { pauseMs: 60_000, signal: abortedAfter(5) })).rejects.toThrow('enough');
    const fail = (): Promise<undefined> => Promise.reject(new Error('broken'));
    await expect(retryUntil(fail, { pauseMs: 1 })).rejects.toThrow('broken');
  });

  it('wait longer each time where that is wanted', async () => {
    const times: number[] = [];
    await retryUntil(
      (): undefined => {
        times.push(performance.now());
      },
      {
        pauseMs: { first: 10, most: 40 },
        deadlineMs: 120,
      },
    );
    expect(times.length).toBeLessThanOrEqual(6);
  });
});
