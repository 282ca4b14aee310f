import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter, LineTooLong } from '../../../src/system/lines.ts';
import type { LineBound } from '../../../src/system/lines.ts';

function split(pieces: readonly string[], bound: LineBound = { mostBytes: 1000 }): readonly string[] {
  const lines = new LineSplitter(bound);
  const found = pieces.flatMap((piece) => [...lines.take(Buffer.from(piece))].map(String));
  return [...found, String(lines.takeRest())];
}

describe('lines', () => {
  it('are the same however their bytes come', () => {
    const texts = fc.array(fc.constantFrom('a', 'bc', '\n', 'ä', ''), { maxLength: 30 });
    fc.assert(
      fc.property(texts, (pieces) => {
        expect(split(pieces)).toEqual(pieces.join('').split('\n'));
      }),
    );
  });

  it('of several bytes a character may come in parts of one', () => {
    const lines = new LineSplitter({ mostBytes: 10 });
    const bytes = Buffer.from('ä€\n');
    const found = Array.from(bytes, (byte) => [...lines.take(Buffer.from([byte]))]).flat();
    expect(found.map(String)).toEqual(['ä€']);
  });

  it.each([[['12345\n']], [['123', '45']], [['ok\n12345\n']], [['1234', '\n', '12345']]])(
    'that are too long are refused: %j',
    (pieces) => {
      expect(() => split(pieces, { mostBytes: 4 })).toThrow(LineTooLong);
    },
  );

  it('are cut where that is wanted, and the next one is whole', () => {
    const bound = { mostBytes: 4, longer: 'cut' } as const;
    expect(split(['1234\n123', '45', '67\n', 'next\nrest of it'], bound)).toEqual(['1234', '1234', 'next', 'rest']);
  });
});
