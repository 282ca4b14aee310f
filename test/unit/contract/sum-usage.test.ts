import { describe, expect, it } from 'vitest';
import { sumUsage } from '../../../src/contract/sum-usage.ts';

describe('what all nodes have used', () => {
  it.each([
    [[], {}],
    [[{}], {}],
    [
      [{ cpuSeconds: 0.1, peakMemoryBytes: 7 }, { cpuSeconds: 0.2 }, { peakMemoryBytes: 9 }],
      { cpuSeconds: 0.3, peakMemoryBytes: 9 },
    ],
  ])('%j is %j', (nodes, expected) => {
    expect(sumUsage(nodes)).toEqual(expected);
  });

  it('has no bound on nodes', () => {
    const nodes = Array.from({ length: 200_000 }, (_, index) => ({ peakMemoryBytes: index }));
    expect(sumUsage(nodes)).toEqual({ peakMemoryBytes: 199_999 });
  });
});
