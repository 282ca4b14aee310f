import type { NodeUsage } from './node-usage.ts';

/** CPU time of all nodes, and the most memory that one of them has used. What no node tells is left out. */
export function sumUsage(nodes: readonly NodeUsage[]): NodeUsage {
  const cpuSeconds = nodes.map((node) => node.cpuSeconds).filter((seconds) => seconds !== undefined);
  const peaks = nodes.map((node) => node.peakMemoryBytes).filter((bytes) => bytes !== undefined);
  return {
    ...(cpuSeconds.length === 0 ? {} : { cpuSeconds: round(cpuSeconds.reduce((sum, each) => sum + each, 0)) }),
    ...(peaks.length === 0 ? {} : { peakMemoryBytes: peaks.reduce((most, each) => Math.max(most, each)) }),
  };
}

/** A sum of doubles has digits that nobody has measured. */
function round(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e6;
}
