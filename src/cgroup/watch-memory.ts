import { dirname } from 'node:path';
import type { ControllerPlace } from './hierarchies.ts';
import { cgroupRoot, placesOf } from './hierarchies.ts';
import { asLimit, readCgroupsOf, readKernelFile, readKernelNumber } from './read-kernel-file.ts';

/** Processes that the kernel has killed because memory ran out, and what was to be had. */
export interface MemoryTrouble {
  readonly killedCount: number;
  /** The lowest limit that holds there; undefined where none does. */
  readonly limitBytes: number | undefined;
  /** The most that was in use at one time; undefined where the kernel does not tell. */
  readonly peakBytes: number | undefined;
}

/** Where the kernel counts the memory of a process, found while it lives. */
export interface MemoryAccount {
  /** What has happened so far; undefined when nothing has, or when nobody can tell any more. */
  readTrouble(): Promise<MemoryTrouble | undefined>;
  /** The same also where nothing has happened; undefined when nobody can tell. */
  readState(): Promise<MemoryTrouble | undefined>;
}

/** The account of a process; undefined when it has ended. Never fails. */
export async function findMemoryAccount(pid: number, root = cgroupRoot): Promise<MemoryAccount | undefined> {
  return await findAccountIn(await readCgroupsOf(pid), root);
}

/** The account that the text of /proc/<pid>/cgroup names. Never fails. */
export async function findAccountIn(procCgroupText: string, root = cgroupRoot): Promise<MemoryAccount | undefined> {
  const [place] = await placesOf(procCgroupText, 'memory', root);
  return place && accountOf(async () => await (place.isUnified ? readV2(place) : readV1(place)));
}

function accountOf(readState: MemoryAccount['readState']): MemoryAccount {
  const readTrouble = async (): Promise<MemoryTrouble | undefined> => {
    const state = await readState();
    return state === undefined || state.killedCount === 0 ? undefined : state;
  };
  return { readState, readTrouble };
}

async function readV1({ directory }: ControllerPlace): Promise<MemoryTrouble | undefined> {
  const killedCount = await readKernelNumber(`${directory}/memory.oom_control`, /^oom_kill (\d+)$/m);
  if (killedCount === undefined) return undefined;
  return {
    killedCount,
    limitBytes: asLimit(await readKernelNumber(`${directory}/memory.stat`, /^hierarchical_memory_limit (\d+)$/m)),
    peakBytes: await readKernelNumber(`${directory}/memory.max_usage_in_bytes`, /^(\d+)$/m),
  };
}

/** A threaded cgroup has no account of its own: its memory counts in the next one above that is none. */
async function readV2({ top, directory: own }: ControllerPlace): Promise<MemoryTrouble | undefined> {
  let directory = own;
  while (directory.startsWith(`${top}/`) && (await isThreaded(directory))) directory = dirname(directory);
  const killedCount = await readKernelNumber(`${directory}/memory.events`, /^oom_kill (\d+)$/m);
  if (killedCount === undefined) return undefined;
  const limits: number[] = [];
  for (let each = directory; each.startsWith(top) && each !== top; each = dirname(each)) {
    const limit = await readKernelNumber(`${each}/memory.max`, /^(\d+)$/m);
    if (limit !== undefined) limits.push(limit);
  }
  const peakBytes = await readKernelNumber(`${directory}/memory.peak`, /^(\d+)$/m);
  return { killedCount, limitBytes: limits.length === 0 ? undefined : Math.min(...limits), peakBytes };
}

async function isThreaded(directory: string): Promise<boolean> {
  return (await readKernelFile(`${directory}/cgroup.type`))?.trim() === 'threaded';
}

const mebibyte = 1024 ** 2;

/** For the user of the job: what has run out where, and what helps. One line without its end. */
export function describeMemoryTrouble(host: string, { killedCount, limitBytes, peakBytes }: MemoryTrouble): string {
  const size = (bytes: number): string => `${Math.round(bytes / mebibyte)} MiB`;
  const facts = [
    limitBytes === undefined ? undefined : `the job's limit there is ${size(limitBytes)}`,
    peakBytes === undefined ? undefined : `its container used ${size(peakBytes)} at most`,
  ].filter((fact) => fact !== undefined);
  const processes = killedCount === 1 ? 'a process' : `${killedCount} processes`;
  const numbers = facts.length === 0 ? '' : ` (${facts.join(', ')})`;
  return `memory ran out on host ${host}: the kernel killed ${processes} of the command${numbers}. Ask the scheduler for more memory; our own programs and files in /tmp and /dev/shm count, too`;
}

/** True where the host can swap: then a small limit makes programs slow, and does not forbid them. */
export async function hasSwap(file = '/proc/meminfo'): Promise<boolean> {
  return (await readKernelNumber(file, /^SwapTotal:\s+(\d+) kB$/m)) !== 0;
}
