import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { allOrNone } from '../../../src/system/all-or-none.ts';

describe('allOrNone', () => {
  it('gives the results in their order', async () => {
    expect(await allOrNone([pause(5, 'late'), Promise.resolve(2), 'given'])).toEqual(['late', 2, 'given']);
  });

  it('fails when nothing goes on any more, with the first failure in their order', async () => {
    let isThrough = false;
    const work = pause(20).then(() => {
      isThrough = true;
      throw new Error('first in order');
    });
    await expect(allOrNone([work, Promise.reject(new Error('first in time'))])).rejects.toThrow('first in order');
    expect(isThrough).toBe(true);
  });
});
