import { expect, test } from 'vitest';
import { parseBytes } from '../../../src/values/parse-bytes.ts';

test.each([
  ['4096', 4096],
  ['4096b', 4096],
  ['512m', 512 * 1024 ** 2],
  ['512 MiB', 512 * 1024 ** 2],
  ['4G', 4 * 1024 ** 3],
  ['4gb', 4 * 1024 ** 3],
  ['1.5g', 1.5 * 1024 ** 3],
  ['0', 0],
])('reads %s', (text, bytes) => expect(parseBytes(text)).toBe(bytes));

test.each([
  '',
  'g',
  '-1',
  '+1',
  '1e9',
  '0x10',
  '4 4',
  '4gg',
  '4p',
  '99999999999999g',
  '1.',
  '.5g',
  'Infinity',
  '４g',
  '4g\n4g',
])('knows no size %j', (text) => expect(parseBytes(text)).toBeUndefined());
