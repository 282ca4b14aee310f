import { afterEach, describe, expect, it } from 'vitest';
import { takeEarlySignals } from '../../../src/system/early-signals.ts';

const heard = Symbol.for('hpcdj.early-signals');
afterEach(() => void Reflect.deleteProperty(globalThis, heard));

describe('takeEarlySignals', () => {
  it.each<readonly [string, string | undefined, unknown, readonly string[]]>([
    ['nothing without a word', undefined, undefined, []],
    ['what the shell has told', ' SIGUSR2 SIGUSR2', undefined, ['SIGUSR2']],
    ['what the boot file has heard', '', ['SIGUSR1'], ['SIGUSR1']],
    ['each once', 'SIGUSR1', ['SIGUSR1', 'SIGUSR2'], ['SIGUSR1', 'SIGUSR2']],
    ['no other word', 'SIGKILL SIGUSR11', ['SIGTERM', 12], []],
  ])('gives %s', (_, told, noted, expected) => {
    if (noted !== undefined) Reflect.set(globalThis, heard, noted);
    const environment = told === undefined ? {} : { HPCDJ_EARLY_SIGNALS: told };
    expect(takeEarlySignals(environment)).toEqual(expected);
    expect(environment).toEqual({});
    expect(takeEarlySignals(environment)).toEqual([]);
  });
});
