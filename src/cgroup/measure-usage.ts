import { cgroupRoot, placesOf } from './hierarchies.ts';
import { readCgroupsOf, readKernelNumber } from './read-kernel-file.ts';
import { findAccountIn } from './watch-memory.ts';

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
  return await findMeterIn(await readCgroupsOf(pid));
}

/** The meter of the cgroup that the text of /proc/PID/cgroup names. The peak of memory is told from Linux 5.19 on with cgroup v2. */
export async function findMeterIn(procCgroupText: string, root = cgroupRoot): Promise<UsageMeter> {
  const [memory, readCpuSeconds] = await Promise.all([
    findAccountIn(procCgroupText, root),
    findCpuClock(procCgroupText, root),
  ]);
  return async () => {
    const [cpuSeconds, state] = await Promise.all([readCpuSeconds(), memory?.readState()]);
    return {
      ...(cpuSeconds === undefined ? {} : { cpuSeconds }),
      ...(state?.peakBytes === undefined ? {} : { peakMemoryBytes: state.peakBytes }),
    };
  };
}

async function findCpuClock(procCgroupText: string, root: string): Promise<() => Promise<number | undefined>> {
  const [place] = await placesOf(procCgroupText, 'cpuacct', root);
  return async () => {
    if (place === undefined) return undefined;
    const { directory, isUnified } = place;
    return isUnified
      ? await readScaled(`${directory}/cpu.stat`, /^usage_usec (\d+)$/m, 1e6)
      : await readScaled(`${directory}/cpuacct.usage`, /^(\d+)$/m, 1e9);
  };
}

async function readScaled(path: string, pattern: RegExp, unitsInOne: number): Promise<number | undefined> {
  const units = await readKernelNumber(path, pattern);
  return units === undefined ? undefined : units / unitsInOne;
}
