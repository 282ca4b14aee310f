import { cpus } from 'node:os';
import type { ControllerHierarchy } from './hierarchies.ts';
import { cgroupRoot, hierarchiesOf } from './hierarchies.ts';
import { asLimit, readKernelFile, readKernelNumber } from './read-kernel-file.ts';

/** What a cgroup holds its processes to. */
export interface CgroupLimits {
  /** The least that it or one above it allows; undefined where none limits memory. */
  readonly memoryBytes?: number;
  /** Processors as the kernel lists them, `0-1,4`; undefined where it has all of the host. */
  readonly cpuset?: string;
}

/** The limits of the cgroup at `path` below each hierarchy. What cannot be read counts as no limit; never fails. */
export async function readLimits(path: string, root = cgroupRoot, hostCpus = cpus().length): Promise<CgroupLimits> {
  const [[memory], [cpuset]] = await Promise.all([hierarchiesOf('memory', root), hierarchiesOf('cpuset', root)]);
  const [memoryBytes, processors] = await Promise.all([
    memory === undefined ? undefined : readLeast(memory, path),
    cpuset === undefined ? '' : readProcessors(cpuset, path),
  ]);
  const count = countCpus(processors);
  return {
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(count === undefined || count >= hostCpus ? {} : { cpuset: processors }),
  };
}

async function readLeast({ directory, isUnified }: ControllerHierarchy, path: string): Promise<number | undefined> {
  const file = isUnified ? 'memory.max' : 'memory.limit_in_bytes';
  const found: number[] = [];
  for (let each = path; each !== ''; each = each.slice(0, each.lastIndexOf('/'))) {
    const limit = asLimit(await readKernelNumber(`${directory}${each}/${file}`, /^(\d{1,19})$/m));
    if (limit !== undefined) found.push(limit);
  }
  return found.length === 0 ? undefined : Math.min(...found);
}

async function readProcessors({ directory, isUnified }: ControllerHierarchy, path: string): Promise<string> {
  const file = isUnified ? 'cpuset.cpus.effective' : 'cpuset.cpus';
  return ((await readKernelFile(`${directory}${path}/${file}`)) ?? '').trim();
}

/** How many processors a list like `0-1,4` has; undefined for a text that is no such list, or is empty. */
export function countCpus(list: string): number | undefined {
  if (!/^\d{1,6}(?:-\d{1,6})?(?:,\d{1,6}(?:-\d{1,6})?)*$/.test(list)) return undefined;
  return list.split(',').reduce((sum, range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return sum + Math.max(0, last - first + 1);
  }, 0);
}
