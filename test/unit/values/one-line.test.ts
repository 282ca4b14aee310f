import { describe, expect, it } from 'vitest';
import { endInOneLine, oneLine, quoteWord, showWord } from '../../../src/values/one-line.ts';

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

describe('a word of a user’s', () => {
  it.each([
    ['lab/mpi:1', 'lab/mpi:1'],
    ['', '""'],
    ['lab/mpi:1 ', '"lab/mpi:1 "'],
    [' a\tb\n', String.raw`" a\tb\n"`],
    ['a\u200bb\u202e', '"a b "'],
    ['a\ud800', '"a"'],
  ])('%j is shown as %s', (text, shown) => expect(showWord(text)).toBe(shown));

  it('is cut in no half of a character', () => {
    expect(quoteWord('ab\u{1f600}', 3)).toBe('"ab"');
    expect(showWord('x'.repeat(300))).toBe(`"${'x'.repeat(200)}"`);
  });
});
