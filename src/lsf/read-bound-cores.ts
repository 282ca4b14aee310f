import { readSmallFile } from '../system/read-small-file.ts';

/**
 * Hardware threads to which LSF has bound the job on each host, out of the file of `LSB_AFFINITY_HOSTFILE`: a line for
 * each task, `host 0,4-5 …`. Only their number is used, as a hint; binding itself is inherited. An empty file, a file
 * that is not there or another form of it means that nothing is known.
 */
export function readBoundCores(path: string | undefined): ReadonlyMap<string, number> {
  if (path === undefined || path === '') return new Map();
  const ranges = new Map<string, Range[]>();
  for (const line of readLines(path)) {
    const [, name, list] = /^(\S+)\s+([0-9][0-9,-]*)(?:\s|$)/.exec(line) ?? [];
    if (name === undefined || list === undefined) return new Map();
    const known = ranges.get(name) ?? [];
    for (const range of readRanges(list)) known.push(range);
    ranges.set(name, known);
  }
  const counts = [...ranges].map(([name, known]): [string, number] => [name, countThreads(known)]);
  return new Map(counts.filter(([, count]) => count > 0));
}

function readLines(path: string): readonly string[] {
  try {
    return readSmallFile('LSB_AFFINITY_HOSTFILE', path)
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
  } catch {
    return [];
  }
}

/** More threads than any host has. */
const maxThread = 65_535;

interface Range {
  readonly low: number;
  readonly high: number;
}

function readRanges(list: string): readonly Range[] {
  return list.split(',').flatMap((part) => {
    const [low = NaN, high = low] = part.split('-').map(Number);
    return low >= 0 && high >= low && high <= maxThread ? [{ low, high }] : [];
  });
}

/** Each thread once, however often the ranges name it. Nothing is written out: a file may hold a million wide ranges. */
function countThreads(ranges: readonly Range[]): number {
  let count = 0;
  let next = 0;
  for (const { low, high } of ranges.toSorted((a, b) => a.low - b.low)) {
    count += Math.max(0, high - Math.max(low, next) + 1);
    next = Math.max(next, high + 1);
  }
  return count;
}
