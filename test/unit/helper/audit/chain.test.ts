import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ChainEnd } from '../../../../src/helper/audit/chain.ts';
import { ChainCheck, chainStart } from '../../../../src/helper/audit/chain.ts';

interface Chain {
  readonly lines: readonly string[];
  readonly end: ChainEnd;
}

/** So many records of a host, as they are appended. */
function makeChain(host: string, count: number): Chain {
  let { seq, hash } = chainStart;
  const lines: string[] = [];
  while (lines.length < count) {
    seq += 1;
    const line = JSON.stringify({ seq, prev: hash, host, event: 'call', uid: 2001 });
    lines.push(line);
    hash = createHash('sha256').update(`${line}\n`).digest('hex');
  }
  return { lines, end: { seq, hash } };
}

function check(lines: readonly string[], known: ReadonlyMap<string, ChainEnd>, kind = 'broken'): readonly string[] {
  const chain = new ChainCheck();
  for (const [index, line] of lines.entries()) chain.take({ place: `f:${index + 1}`, bytes: Buffer.from(line) });
  return chain.finish(known).flatMap((finding) => (finding.kind === kind ? [finding.text] : []));
}

const { lines, end } = makeChain('node1', 6);
const known = new Map([['node1', end]]);
const edited = (edit: (copy: string[]) => unknown): readonly string[] => {
  const copy = [...lines];
  edit(copy);
  return copy;
};

describe('a chain', () => {
  it('that is whole has no fault', () => {
    expect(check(lines, known)).toEqual([]);
  });

  it.each([
    [
      'changed',
      edited((copy) => (copy[2] = copy[2]!.replace('2001', '0'))),
      ['f:4: host node1: the record before this line (3) was changed, or this one (4)'],
    ],
    [
      'the last one changed',
      edited((copy) => (copy[5] = copy[5]!.replace('2001', '0'))),
      ['host node1: the last record (6) was changed'],
    ],
    ['missing', edited((copy) => copy.splice(2, 2)), ['f:3: host node1: records 3 to 4 are missing before this line']],
    [
      'reordered',
      edited((copy) => copy.splice(2, 2, copy[3]!, copy[2]!)),
      [
        'f:3: host node1: records 3 to 3 are missing before this line',
        'f:4: host node1: record 3 stands after record 4',
        'f:5: host node1: records 4 to 4 are missing before this line',
      ],
    ],
    ['repeated', edited((copy) => copy.splice(3, 0, copy[2]!)), ['f:4: host node1: record 3 stands after record 3']],
    ['cut off', lines.slice(0, 4), ['host node1: records 5 to 6 are missing at the end']],
    ['all gone', [], ['host node1: records 1 to 6 are missing at the end']],
    [
      'added by somebody who knows the chain',
      makeChain('node1', 7).lines,
      ['host node1: records after 6 were not written by the helper'],
    ],
    ['no record', edited((copy) => copy.splice(3, 0, 'something else')), ['f:4: this line is no record']],
    [
      'made of another form',
      edited((copy) => (copy[3] = '[]')),
      ['f:5: host node1: records 4 to 4 are missing before this line', 'f:4: this line is no record'],
    ],
    ['half a record', edited((copy) => copy.push('{"seq":7,"prev":"0')), ['f:7: this line is no record']],
  ])('with a line that is %s is broken, and the line is named', (_, changed, faults) => {
    expect(check(changed, known)).toEqual(faults);
  });

  it('that an interrupted write has torn, and that goes on with the whole record, has no fault', () => {
    expect(
      check(
        edited((copy) => copy.splice(3, 0, copy[3]!.slice(0, 40))),
        known,
      ),
    ).toEqual([]);
  });

  it('of several hosts in one file is followed for each of them', () => {
    const other = makeChain('node2', 3);
    const mixed = [lines[0]!, other.lines[0]!, lines[1]!, other.lines[1]!, other.lines[2]!, ...lines.slice(2)];
    expect(check(mixed, known)).toEqual([]);
    expect(check(mixed, known, 'note')).toEqual([expect.stringContaining('host node2: its own state is not here')]);
    const [first, , ...rest] = mixed;
    expect(check([first!, ...rest], new Map([...known, ['node2', other.end]]), 'note')).toEqual([
      expect.stringContaining('host node2 begins with record 2'),
    ]);
  });
});
