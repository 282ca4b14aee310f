import { describe, expect, it } from 'vitest';
import { endInOneLine, oneLine } from '../../../src/values/one-line.ts';

describe('foreign words in a line of ours', () => {
  it.each([
    ['a line break', 'one\r\n  two', 'one two'],
    ['an escape sequence', 'one\u001b[2Jtwo', 'one [2Jtwo'],
    ['a C1 control', 'one\u009btwo', 'one two'],
    ['a turn of direction', 'one\u202etwo\u2066', 'one two'],
    ['characters without width', 'one\u200b\ufefftwo', 'one two'],
    ['a lone surrogate', 'one\ud800two', 'one two'],
    ['a line separator', 'one\u2028two', 'one two'],
  ])('hold no %s', (_, text, expected) => {
    expect(oneLine(text, 100)).toBe(expected);
    expect(endInOneLine(text, 100)).toBe(expected);
  });

  it('are cut after the first, or before the last characters', () => {
    expect(oneLine('one two three', 8)).toBe('one two');
    expect(endInOneLine('one two three', 6)).toBe('three');
  });
});
