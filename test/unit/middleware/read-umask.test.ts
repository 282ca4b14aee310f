import { describe, expect, it } from 'vitest';
import { readUmask } from '../../../src/middleware/read-umask.ts';

describe('readUmask', () => {
  it('reads what the script has set, and changes nothing', () => {
    const before = process.umask(0o027);
    try {
      expect(readUmask()).toBe(0o027);
      expect(process.umask(0o027)).toBe(0o027);
    } finally {
      process.umask(before);
    }
  });

  it.each([
    ['Name:\tnode\nUmask:\t0077\n', 0o077],
    ['Umask:\t0007\n', 0o007],
    ['Umask:\t7777\n', 0o777],
    ['Name:\tnode\n', 0o022],
    ['Umask:\t0888\n', 0o022],
  ])('makes of %j %o', (text, expected) => {
    expect(readUmask(() => text)).toBe(expected);
  });

  it('is the usual one where the kernel does not tell', () => {
    const unreadable = (): never => {
      throw new Error('no /proc');
    };
    expect(readUmask(unreadable)).toBe(0o022);
  });
});
