import { describe, expect, it } from 'vitest';
import { decideInput, readInputWish } from '../../../src/middleware/decide-input.ts';
import type { InputFacts } from '../../../src/middleware/look-at-input.ts';

const pipe: InputFacts = {
  ...{ kind: 'pipe', readBytes: 0, unreadBytes: 0, owner: 'call', isMadeInside: true, hasWaiting: false },
};
const file: InputFacts = { ...pipe, kind: 'file', unreadBytes: 9 };

type Case = readonly [name: string, facts: InputFacts, isPassed: boolean, hasNote: boolean];
const unasked: readonly Case[] = [
  ['a file of this call', file, true, false],
  ['a file of this call without anything', { ...file, unreadBytes: 0 }, false, false],
  ['a file of nobody known', { ...file, owner: 'unknown' }, true, false],
  [
    'a file of nobody known, in its middle: a script that its shell reads',
    { ...file, readBytes: 3, owner: 'unknown' },
    false,
    true,
  ],
  ['a pipe of this call', pipe, true, false],
  ['a pipe of nobody known', { ...pipe, owner: 'unknown', isMadeInside: false }, true, false],
  ['a file that a loop reads', { ...file, readBytes: 3, owner: 'script' }, false, false],
  ['a file that the script has and nobody has read', { ...file, owner: 'script' }, true, false],
  ['a pipe that the script has', { ...pipe, owner: 'script' }, false, true],
  ['a pipe in which the scheduler has put the script', { ...pipe, owner: 'script', isMadeInside: false }, false, false],
  [
    'the same with something in it (bsub -I)',
    { ...pipe, owner: 'script', isMadeInside: false, hasWaiting: true },
    false,
    true,
  ],
  ['a device of this call', { ...pipe, kind: 'device' }, true, false],
  ['the null device', { ...pipe, kind: 'null' }, false, false],
  ['a terminal', { ...pipe, kind: 'terminal' }, false, false],
  ['a directory', { ...pipe, kind: 'directory' }, false, false],
  ['none', { ...pipe, kind: 'closed' }, false, false],
];

describe('decideInput', () => {
  it.each(unasked)('decides by itself on %s', (_, facts, isPassed, hasNote) => {
    const decision = decideInput(undefined, facts);
    expect([decision.isPassed, decision.note !== undefined]).toEqual([isPassed, hasNote]);
  });

  it.each(unasked)('says nothing of %s that is not wanted', (_, facts) => {
    expect(decideInput(false, facts)).toEqual({ isPassed: false });
  });

  it.each(unasked.filter(([, { kind }]) => !['closed', 'directory'].includes(kind)))(
    'takes %s that is wanted',
    (_, facts) => {
      expect(decideInput(true, facts)).toEqual({ isPassed: facts.kind !== 'null' });
    },
  );

  it.each(['closed', 'directory'] as const)('refuses one that is wanted and is %s', (kind) => {
    expect(() => decideInput(true, { ...pipe, kind })).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

describe('HPCDJ_STDIN', () => {
  it.each([
    ['yes', true],
    ['1', true],
    ['true', true],
    ['no', false],
    ['0', false],
    ['false', false],
    ['', undefined],
    [undefined, undefined],
  ])('may be %j', (text, wish) => expect(readInputWish(text)).toBe(wish));

  it.each(['maybe', 'YES!', '__proto__', 'constructor'])('cannot be %j', (text) => {
    expect(() => readInputWish(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});
