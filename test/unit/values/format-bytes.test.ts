import { expect, test } from 'vitest';
import { formatBytes } from '../../../src/values/format-bytes.ts';

test.each([
  [0, '0 bytes'],
  [1023, '1023 bytes'],
  [1024, '1 KiB'],
  [1536 * 1024 ** 2, '1.5 GiB'],
  [1024 ** 3 - 1, '1024.0 MiB'],
  [3 * 1024 ** 5, '3072 TiB'],
])('says %d as %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
