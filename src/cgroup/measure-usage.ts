import { readFile } from 'node:fs/promises';
import { cgroupRoot, parseCgroups } from './hierarchies.ts';

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

/**
 * The meter of the cgroup that the text of /proc/PID/cgroup names. A controller is either in a hierarchy of cgroup v1 or in the
 * unified one; `memory.peak` is there from Linux 5.19 on.
 */
export function usageMeterOf(procCgroupText: string, root = cgroupRoot): UsageMeter {
  const places = parseCgroups(procCgroupText);
  const directoryOf = (controller: string): string | undefined => {
    const place = places.find(({ controllers }) => controllers.split(',').includes(controller));
    return place === undefined ? undefined : `${root}/${place.controllers}${place.path}`;
  };
  const unified = places.find(({ controllers }) => controllers === '');
  const v2 = unified === undefined ? undefined : `${root}${unified.path}`;
  return async () => {
    const [cpuacct, memory] = [directoryOf('cpuacct'), directoryOf('memory')];
    const [cpuSeconds, peakMemoryBytes] = await Promise.all([
      cpuacct === undefined
        ? readScaled(`${v2}/cpu.stat`, /^usage_usec (\d+)$/m, 1e6)
        : readScaled(`${cpuacct}/cpuacct.usage`, /^(\d+)$/m, 1e9),
      readScaled(memory === undefined ? `${v2}/memory.peak` : `${memory}/memory.max_usage_in_bytes`, /^(\d+)$/m, 1),
    ]);
    return {
      ...(cpuSeconds === undefined ? {} : { cpuSeconds }),
      ...(peakMemoryBytes === undefined ? {} : { peakMemoryBytes }),
    };
  };
}

async function readScaled(path: string, pattern: RegExp, unitsInOne: number): Promise<number | undefined> {
  const [, digits] = pattern.exec((await readOrUndefined(path)) ?? '') ?? [];
  return digits === undefined ? undefined : Number(digits) / unitsInOne;
}

async function readOrUndefined(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(() => undefined);
}
