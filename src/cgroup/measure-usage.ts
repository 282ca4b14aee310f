import { readFile } from 'node:fs/promises';
import { cgroupRoot, parseCgroups } from './hierarchies.ts';
import { memoryAccountOf } from './watch-memory.ts';

/** What the processes of a cgroup have used so far. What the kernel does not tell is left out. */
export interface CgroupUsage {
  /** CPU time of all of them, also of those that have ended. */
  readonly cpuSeconds?: number;
  /** The most memory in use at one time, file cache included: as the kernel counts it against the limit. */
  readonly peakMemoryBytes?: number;
}

/** Reads the files of one cgroup; it gives an empty object once that is gone. Never fails. */
export type UsageMeter = () => Promise<CgroupUsage>;

/** The meter of the cgroup in which a process is, found while it lives. Never fails. */
export async function findUsageMeter(pid: number): Promise<UsageMeter> {
  return usageMeterOf((await readOrUndefined(`/proc/${pid}/cgroup`)) ?? '');
}

/** The meter of the cgroup that the text of /proc/PID/cgroup names. The peak of memory is told from Linux 5.19 on with cgroup v2. */
export function usageMeterOf(procCgroupText: string, root = cgroupRoot): UsageMeter {
  const memory = memoryAccountOf(procCgroupText, root);
  const readCpuSeconds = cpuClockOf(procCgroupText, root);
  return async () => {
    const [cpuSeconds, state] = await Promise.all([readCpuSeconds(), memory?.readState()]);
    return {
      ...(cpuSeconds === undefined ? {} : { cpuSeconds }),
      ...(state?.peakBytes === undefined ? {} : { peakMemoryBytes: state.peakBytes }),
    };
  };
}

/** The controller is either in a hierarchy of cgroup v1 or in the unified one. */
function cpuClockOf(procCgroupText: string, root: string): () => Promise<number | undefined> {
  const places = parseCgroups(procCgroupText);
  const v1 = places.find(({ controllers }) => controllers.split(',').includes('cpuacct'));
  if (v1 !== undefined) {
    const file = `${root}/${v1.controllers}${v1.path}/cpuacct.usage`;
    return async () => await readScaled(file, /^(\d+)$/m, 1e9);
  }
  const v2 = places.find(({ controllers }) => controllers === '');
  return async () =>
    v2 === undefined ? undefined : await readScaled(`${root}${v2.path}/cpu.stat`, /^usage_usec (\d+)$/m, 1e6);
}

async function readScaled(path: string, pattern: RegExp, unitsInOne: number): Promise<number | undefined> {
  const [, digits] = pattern.exec((await readOrUndefined(path)) ?? '') ?? [];
  return digits === undefined ? undefined : Number(digits) / unitsInOne;
}

async function readOrUndefined(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(() => undefined);
}
