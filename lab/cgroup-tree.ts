/** The lab's own subtree in every cgroup hierarchy of the machine: the one place where all its processes are found. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rmdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LabError } from './lab-error.ts';

export interface CgroupHierarchy {
  readonly mountPoint: string;
  readonly type: 'cgroup' | 'cgroup2';
  /** Mount options that give the same hierarchy again, e.g. `cpu,cpuacct` or `none,name=systemd`. */
  readonly options: string;
}

const killTimeoutMs = 20_000;

/** The cgroup hierarchies named in a mountinfo text. */
export function parseHierarchies(mountInfo: string): CgroupHierarchy[] {
  const hierarchies: CgroupHierarchy[] = [];
  for (const line of mountInfo.split('\n')) {
    const [before, after] = line.split(' - ');
    const mountPoint = before?.split(' ')[4];
    const [type, , superOptions] = after?.split(' ') ?? [];
    if (!mountPoint || (type !== 'cgroup' && type !== 'cgroup2')) continue;
    if (hierarchies.some((known) => known.mountPoint === mountPoint)) continue;
    hierarchies.push({ mountPoint, type, options: type === 'cgroup2' ? 'rw' : controllersOf(superOptions ?? '') });
  }
  return hierarchies;
}

function controllersOf(superOptions: string): string {
  const words = superOptions
    .split(',')
    .filter((word) => !['rw', 'ro', 'xattr', 'noprefix', 'clone_children'].includes(word));
  const named = words.some((word) => word.startsWith('name='));
  return [...(named ? ['none'] : []), ...words.filter((word) => !word.startsWith('release_agent='))].join(',');
}

/** The machine's cgroup hierarchies; fails where controllers are not offered as cgroup v1. */
export async function readHierarchies(): Promise<CgroupHierarchy[]> {
  const hierarchies = parseHierarchies(await readFile('/proc/self/mountinfo', 'utf8'));
  const controllers = new Set(
    hierarchies.filter(({ type }) => type === 'cgroup').flatMap(({ options }) => options.split(',')),
  );
  const missing = ['cpuset', 'memory', 'devices', 'freezer', 'pids'].filter((name) => !controllers.has(name));
  if (missing.length > 0) {
    throw new LabError(
      `The lab needs cgroup v1 hierarchies for ${missing.join(', ')}.`,
      'On a machine with systemd boot with systemd.unified_cgroup_hierarchy=0, else mount them below /sys/fs/cgroup ' +
        '(docs/lab.md, "What it needs").',
    );
  }
  return hierarchies;
}

/** How `boot-host.sh` is told about a hierarchy. */
export function toBootArgument(hierarchy: CgroupHierarchy): string {
  return `${basename(hierarchy.mountPoint)}=${hierarchy.type}:${hierarchy.options}`;
}

/** The subtree `group/child` in every hierarchy, made where missing and ready to take processes. */
export async function makeCgroups(
  hierarchies: readonly CgroupHierarchy[],
  group: string,
  child: string,
): Promise<string[]> {
  const directories: string[] = [];
  for (const { mountPoint } of hierarchies) {
    let parent = mountPoint;
    for (const part of [group, child]) {
      const directory = join(parent, part);
      await mkdir(directory, { recursive: true });
      await inheritCpuset(parent, directory);
      parent = directory;
    }
    directories.push(parent);
  }
  return directories;
}

/** A cpuset cgroup takes no process before it has CPUs and memory nodes. */
async function inheritCpuset(parent: string, directory: string): Promise<void> {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (!existsSync(join(directory, file))) continue;
    if ((await readFile(join(directory, file), 'utf8')).trim() !== '') continue;
    await writeFile(join(directory, file), (await readFile(join(parent, file), 'utf8')).trim());
  }
}

/** The subtree's directories that exist, deepest first. */
export async function listCgroups(hierarchies: readonly CgroupHierarchy[], subtree: string): Promise<string[]> {
  const found: string[] = [];
  for (const { mountPoint } of hierarchies) await collectBelow(join(mountPoint, subtree), found);
  return found;
}

async function collectBelow(directory: string, found: string[]): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  if (entries.length === 0) return;
  for (const entry of entries) if (entry.isDirectory()) await collectBelow(join(directory, entry.name), found);
  found.push(directory);
}

/** Every process in the subtree, over all hierarchies. */
export async function listProcesses(hierarchies: readonly CgroupHierarchy[], subtree: string): Promise<Set<number>> {
  const pids = new Set<number>();
  for (const directory of await listCgroups(hierarchies, subtree)) {
    const text = await readFile(join(directory, 'cgroup.procs'), 'utf8').catch(() => '');
    for (const line of text.split('\n')) if (Number(line) > 0) pids.add(Number(line));
  }
  return pids;
}

/** Kills every process of the subtree and returns how many there were; fails when some outlive the deadline. */
export async function killProcesses(hierarchies: readonly CgroupHierarchy[], subtree: string): Promise<number> {
  const seen = new Set<number>();
  const deadline = Date.now() + killTimeoutMs;
  for (;;) {
    // Each round looks again: what was killed may have forked just before.
    const pids = await listProcesses(hierarchies, subtree);
    if (pids.size === 0) return seen.size;
    if (pids.has(process.pid))
      throw new LabError('A lab cannot be taken down from inside it.', 'Run `lab down` on the machine itself.');
    if (Date.now() > deadline) throw new LabError(`Processes of the lab do not end: ${[...pids].join(', ')}.`);
    for (const pid of pids) {
      seen.add(pid);
      killQuietly(pid);
    }
    await thaw(hierarchies, subtree);
    await sleep(30);
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in between.
  }
}

/** A frozen process (paused container, suspended job) dies only once it is thawed. */
async function thaw(hierarchies: readonly CgroupHierarchy[], subtree: string): Promise<void> {
  for (const directory of await listCgroups(hierarchies, subtree)) {
    const file = join(directory, 'freezer.state');
    if (existsSync(file)) await writeFile(file, 'THAWED').catch(() => undefined);
  }
}

/** Removes the subtree's directories, which must hold no process any more. */
export async function removeCgroups(hierarchies: readonly CgroupHierarchy[], subtree: string): Promise<void> {
  const deadline = Date.now() + killTimeoutMs;
  for (;;) {
    const directories = await listCgroups(hierarchies, subtree);
    if (directories.length === 0) return;
    const failures: unknown[] = [];
    // The kernel says EBUSY for a moment after the last process left.
    for (const directory of directories) await rmdir(directory).catch((error: unknown) => failures.push(error));
    if (failures.length === 0) return;
    if (Date.now() > deadline)
      throw new LabError(`Cgroups of the lab cannot be removed: ${directories.join(', ')}.`, undefined, failures[0]);
    await sleep(50);
  }
}
