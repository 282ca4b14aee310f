import { expect, it } from 'vitest';
import { parsePatience } from '../../../lab/patience.ts';

it.each([
  [undefined, 1],
  ['', 1],
  ['1', 1],
  ['2.5', 2.5],
  ['100', 100],
])('takes %j for %d', (text, patience) => {
  expect(parsePatience(text)).toBe(patience);
});

it.each(['0', '0.5', '-3', '101', '1e2', 'ten', 'Infinity', ' 3'])('refuses %j', (text) => {
  expect(() => parsePatience(text)).toThrow('HPCDJ_LAB_PATIENCE');
});
