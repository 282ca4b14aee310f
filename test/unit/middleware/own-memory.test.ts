import { describe, expect, it } from 'vitest';
import type { MemoryTrouble } from '../../../src/cgroup/watch-memory.ts';
import { refusalJson } from '../../../src/middleware/outcome.ts';
import { watchOwnMemory } from '../../../src/middleware/own-memory.ts';
import { asJobError, JobError } from '../../../src/values/errors.ts';

const mebibyte = 1024 ** 2;
const state = (killedCount: number, limit?: number): MemoryTrouble => ({
  killedCount,
  limitBytes: limit === undefined ? undefined : limit * mebibyte,
  peakBytes: undefined,
});

describe('memory that cannot hold our own programs', () => {
  const require = async (found: MemoryTrouble | undefined, swaps = false): Promise<unknown> =>
    await (
      await watchOwnMemory(
        async () => await Promise.resolve(found),
        async () => await Promise.resolve(swaps),
      )
    )
      .requireEnough()
      .catch((error: unknown) => error);

  it.each([50, 100, 103])('is refused before anything is started: %i MiB', async (limit) => {
    expect(await require(state(0, limit))).toMatchObject({
      code: 'OUT_OF_MEMORY',
      exitStatus: 65,
      message: expect.stringContaining(
        `the job has ${limit} MiB of memory there, and our own programs alone take more than 104 MiB`,
      ) as string,
    });
  });

  it.each([
    ['as much as a job was seen to take', state(0, 140), false],
    ['no limit', state(0), false],
    ['nobody who tells one', undefined, false],
    ['a host that can swap', state(0, 50), true],
  ])('is not: %s', async (_, found, swaps) => expect(await require(found, swaps)).toBeUndefined());
});

describe('a helper that is gone', () => {
  const died = new JobError({ code: 'HELPER_LOST', message: 'The helper that kept the job has died: it was killed.' });
  const explain = async (states: readonly (MemoryTrouble | undefined)[], error: unknown): Promise<unknown> => {
    const told = [...states];
    const memory = await watchOwnMemory(async () => await Promise.resolve(told.shift()));
    return await memory.explain(error);
  };

  it('since memory ran out ends the job for good, and says what to ask for', async () => {
    const error = asJobError(await explain([state(1, 122), state(2, 122)], died));
    expect(error).toMatchObject({
      code: 'OUT_OF_MEMORY',
      exitStatus: 65,
      message:
        'Memory ran out on this host (the limit is 122 MiB), and the kernel killed a program of ours: The helper that kept the job has died: it was killed.',
      hint: expect.stringContaining('about 200 MB') as string,
    });
    expect(JSON.parse(refusalJson(error))).not.toHaveProperty('leftovers');
  });

  it.each([
    ['killed by somebody', [state(1, 122), state(1, 122)], died],
    ['where nobody counts', [undefined, state(1)], died],
    ['for another reason', [state(0), state(1)], new JobError({ code: 'IMAGE_NOT_ALLOWED', message: 'no.' })],
  ])('%s is told as ever', async (_, states, error) => expect(await explain(states, error)).toBe(error));
});
