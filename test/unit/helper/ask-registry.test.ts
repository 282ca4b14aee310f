import { expect, it, vi } from 'vitest';
import { askRegistry } from '../../../src/helper/host/ask-registry.ts';
import type { RegistryCall } from '../../../src/helper/host/ask-registry.ts';
import { JobError } from '../../../src/values/errors.ts';

const busy = new JobError({ code: 'IMAGE_NOT_FETCHED', message: 'r.example is asked too often' });
const absent = new JobError({ code: 'IMAGE_NOT_PRESENT', message: 'r.example does not have it' });
const call = (more: Partial<RegistryCall> = {}): RegistryCall => ({
  deadlineMs: 60_000,
  signal: new AbortController().signal,
  mostTries: 4,
  describeLate: () => 'it was not here after 60 s',
  ...more,
});

it('asks again after what may pass, and gives what comes then', async () => {
  const told: string[] = [];
  const answers = [busy, busy, 'here'];
  const work = vi.fn(() => {
    const answer = answers.shift();
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  });
  const asked = askRegistry(call({ onRetry: ({ code }) => told.push(code) }), work);
  expect(await asked).toBe('here');
  expect(told).toEqual(['IMAGE_NOT_FETCHED', 'IMAGE_NOT_FETCHED']);
}, 10_000);

it('does not ask again after what will not pass', async () => {
  const work = vi.fn(() => Promise.reject(absent));
  await expect(askRegistry(call(), work)).rejects.toBe(absent);
  expect(work).toHaveBeenCalledTimes(1);
});

it('gives up after so many tries with what it heard last', async () => {
  const work = vi.fn(() => Promise.reject(busy));
  await expect(askRegistry(call({ mostTries: 1 }), work)).rejects.toBe(busy);
});

it('ends the work when the time is over, and says what came before', async () => {
  let tries = 0;
  const work = async (signal: AbortSignal): Promise<never> => {
    tries += 1;
    if (tries === 1) throw busy;
    return await new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  };
  await expect(askRegistry(call({ deadlineMs: 2000 }), work)).rejects.toMatchObject({
    code: 'IMAGE_NOT_FETCHED',
    message: 'it was not here after 60 s; before that, r.example is asked too often',
  });
  expect(tries).toBe(2);
});

it('ends at once with the reason of its signal, also in a pause', async () => {
  const cancel = new AbortController();
  const reason = new Error('cancelled');
  const asked = askRegistry(call({ signal: cancel.signal, onRetry: () => cancel.abort(reason) }), () =>
    Promise.reject(busy),
  );
  await expect(asked).rejects.toBe(reason);
});
