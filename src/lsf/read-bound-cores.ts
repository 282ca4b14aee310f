import { readSmallFile } from '../system/read-small-file.ts';

/**
 * Hardware threads to which LSF has bound the job on each host, out of the file of `LSB_AFFINITY_HOSTFILE`: a line for
 * each task, `host 0,4-5 …`. Only their number is used, as a hint; binding itself is inherited. An empty file, a file
 * that is not there or another form of it means that nothing is known.
 */
export function readBoundCores(path: string | undefined): ReadonlyMap<string, number> {
  if (path === undefined || path === '') return new Map();
  const threads = new Map<string, Set<number>>();
  for (const line of readLines(path)) {
    const [, name, list] = /^(\S+)\s+([0-9][0-9,-]*)(?:\s|$)/.exec(line) ?? [];
    if (name === undefined || list === undefined) return new Map();
    const known = threads.get(name) ?? new Set();
    for (const thread of expandThreads(list)) known.add(thread);
    threads.set(name, known);
  }
  return new Map([...threads].filter(([, known]) => known.size > 0).map(([name, known]) => [name, known.size]));
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

function expandThreads(list: string): readonly number[] {
  return list.split(',').flatMap((part) => {
    const [low = NaN, high = low] = part.split('-').map(Number);
    if (!(low >= 0 && high >= low && high <= maxThread)) return [];
    return Array.from({ length: high - low + 1 }, (_, offset) => low + offset);
  });
}
