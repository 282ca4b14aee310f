import { describe, expect, it } from 'vitest';
import { signalOfStatus } from '../../../src/values/signal-of-status.ts';

describe('signalOfStatus', () => {
  it.each([
    [139, 'SIGSEGV', 'segmentation fault'],
    [137, 'SIGKILL', 'killed'],
    [143, 'SIGTERM', 'terminated'],
    [135, 'SIGBUS', 'bus error'],
    [134, 'SIGABRT', 'aborted'],
  ])('%i is %s', (status, name, meaning) => expect(signalOfStatus(status)).toEqual({ name, meaning }));

  it.each([0, 1, 127, 128, 145, 146, 147, 200, 255])('%i is none', (status) => {
    expect(signalOfStatus(status)).toBeUndefined();
  });
});
