import { describe, expect, it } from 'vitest';
import { editDistance, findNearestName } from '../../../src/values/nearest-name.ts';

describe('findNearestName', () => {
  it.each([
    ['netwrok', 'network'],
    ['Network', 'network'],
    ['image', 'images'],
    ['completelyelse', undefined],
    ['', undefined],
  ])('takes %j for %s', (name, expected) => {
    expect(findNearestName(name, ['network', 'images', 'x'.repeat(500)])).toBe(expected);
  });

  it('does not compare a name of any length', () => {
    expect(findNearestName('n'.repeat(1_000_000), ['network'])).toBeUndefined();
  });

  it.each([
    ['', '', 0],
    ['abc', 'abc', 0],
    ['abc', 'acb', 1],
    ['kitten', 'sitting', 3],
    ['', 'ab', 2],
  ])('counts the edits between "%s" and "%s"', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
    expect(editDistance(b, a)).toBe(distance);
  });
});
