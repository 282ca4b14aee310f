const mebibyte = 1024 ** 2;

/**
 * Below what our own programs hold at rest on a host, however hard they are pressed: no job was seen to start with less
 * than 126 MiB on its first host, where 138 MiB are usual; on another 66 MiB are. A host with less than this, and nowhere
 * to swap to, starts no container.
 */
const leastBytes = { first: 104 * mebibyte, other: 48 * mebibyte } as const;

/** The least memory with which the node of this index can start. */
export function leastOwnMemory(nodeIndex: number): number {
  return nodeIndex === 0 ? leastBytes.first : leastBytes.other;
}

/** What to do when memory ran out before or beside the command. */
export const moreMemoryHint =
  'Ask the scheduler for more memory (Slurm: --mem): our own programs need about 200 MB of it on the first host, 130 MB on the others.';

/** Why a host cannot hold its part of the job. */
export function describeSmallMemory(limitBytes: number, nodeIndex: number): string {
  const size = (bytes: number): string => `${Math.floor(bytes / mebibyte)} MiB`;
  return `the job has ${size(limitBytes)} of memory there, and our own programs alone take more than ${size(leastOwnMemory(nodeIndex))}`;
}
