import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { cgroupRoot, listHierarchies, unifiedName } from './hierarchies.ts';

/** What a cgroup holds its processes to. */
export interface CgroupLimits {
  /** The least that it or one above it allows; undefined where none limits memory. */
  readonly memoryBytes?: number;
  /** Processors as the kernel lists them, `0-1,4`; undefined where it has all of the host. */
  readonly cpuset?: string;
}

/** No machine has so much: cgroup v1 writes no limit as the greatest number of pages. */
const noLimit = 2 ** 60;

/** The limits of the cgroup at `path` below each hierarchy. What cannot be read counts as no limit; never fails. */
export async function readLimits(path: string, root = cgroupRoot, hostCpus = cpus().length): Promise<CgroupLimits> {
  const hierarchies = await listHierarchies(root);
  const directoryOf = (controller: string): string | undefined =>
    hierarchies.find(({ name }) => name.split(',').includes(controller))?.directory;
  const isUnified = hierarchies.length === 1 && hierarchies[0]?.name === unifiedName;
  const memory = isUnified ? root : directoryOf('memory');
  const cpuset = isUnified ? root : directoryOf('cpuset');
  const memoryFile = isUnified ? 'memory.max' : 'memory.limit_in_bytes';
  const [memoryBytes, processors] = await Promise.all([
    memory === undefined ? undefined : readLeast(memory, path, memoryFile),
    cpuset === undefined ? '' : readText(`${cpuset}${path}/${isUnified ? 'cpuset.cpus.effective' : 'cpuset.cpus'}`),
  ]);
  const count = countCpus(processors);
  return {
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(count === undefined || count >= hostCpus ? {} : { cpuset: processors }),
  };
}

async function readLeast(hierarchy: string, path: string, file: string): Promise<number | undefined> {
  const found: number[] = [];
  for (let each = path; each !== ''; each = each.slice(0, each.lastIndexOf('/'))) {
    const text = await readText(`${hierarchy}${each}/${file}`);
    if (/^\d{1,19}$/.test(text) && Number(text) < noLimit) found.push(Number(text));
  }
  return found.length === 0 ? undefined : Math.min(...found);
}

/** How many processors a list like `0-1,4` has; undefined for a text that is no such list, or is empty. */
export function countCpus(list: string): number | undefined {
  if (!/^\d{1,6}(?:-\d{1,6})?(?:,\d{1,6}(?:-\d{1,6})?)*$/.test(list)) return undefined;
  return list.split(',').reduce((sum, range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return sum + Math.max(0, last - first + 1);
  }, 0);
}

async function readText(path: string): Promise<string> {
  return await readFile(path, 'utf8').then(
    (text) => text.trim(),
    () => '',
  );
}
