import { describe, expect, it } from 'vitest';
import { expandCountList } from '../../../src/slurm/count-list.ts';
import { JobError } from '../../../src/values/errors.ts';
import { expandHostList } from '../../../src/slurm/host-list.ts';

describe('expandHostList', () => {
  it.each([
    ['n1', 'n1'],
    ['n[1-3]', 'n1 n2 n3'],
    ['n[001-003,7]', 'n001 n002 n003 n7'],
    ['n[08-11]', 'n08 n09 n10 n11'],
    ['n[8-11]', 'n8 n9 n10 n11'],
    ['r[1-2]c[1-2]', 'r1c1 r1c2 r2c1 r2c2'],
    ['a1,b[2-3]-ib,c', 'a1 b2-ib b3-ib c'],
    ['b,a,b', 'b a b'],
    ['n[5]', 'n5'],
    ['n[1-2].example', 'n1.example n2.example'],
    ['[1-2]', '1 2'],
  ])('reads %s', (text, names) => {
    expect(expandHostList(text).join(' ')).toBe(names);
  });

  it.each([
    '',
    ',',
    'a,',
    'a,,b',
    'n[3-1]',
    'n[1-',
    'n[a-c]',
    'n[]',
    'n[1,]',
    'n[1-2-3]',
    'n[-1]',
    'n[1-2]]',
    'n[[1-2]]',
    'n]1[',
    'n 1',
    'n1\nn2',
    'n[1-3]_',
    '-n',
    'n[0-99999999999999999999]',
    'n[0-65536]',
    'n[0-999]r[0-999]c[0-999]',
    'n[0-65535],x',
    '$(id)',
    '../n1',
    'é1',
  ])('refuses %j', (text) => {
    expect(() => expandHostList(text)).toThrow(expect.objectContaining({ code: 'ALLOCATION_INVALID' }) as Error);
  });

  it('reads as many hosts as Slurm has in one range', () => {
    expect(expandHostList('n[0-65535]')).toHaveLength(65_536);
  });

  it('tells in the message what is wrong', () => {
    expect(() => expandHostList('n[3-1]')).toThrow(
      'The host list "n[3-1]" cannot be read: the range 3-1 runs backwards.',
    );
  });
});

describe('expandCountList', () => {
  it.each<[string, number[]]>([
    ['4', [4]],
    ['2(x3)', [2, 2, 2]],
    ['2(x3),1', [2, 2, 2, 1]],
    ['1,3(x2)', [1, 3, 3]],
    ['72(x2),36', [72, 72, 36]],
  ])('reads %s', (text, counts) => {
    expect(expandCountList(text, counts.length)).toEqual(counts);
  });

  it.each([
    ['2(x3)', 2],
    ['2(x3)', 4],
    ['2(x999999)', 3],
    ['', 1],
    ['0', 1],
    ['-1', 1],
    ['2(x0)', 1],
    ['2(3)', 3],
    ['2(x3', 3],
    ['2,', 2],
    ['2, 2', 2],
    ['1e3', 1],
    ['99999999', 1],
  ])('refuses %j for %i hosts', (text, hostCount) => {
    expect(() => expandCountList(text, hostCount)).toThrow(JobError);
  });
});
