/** The lab's own subtree in every cgroup hierarchy of the machine: the one place where all its processes are found. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rmdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findCgroupFault } from './find-cgroup-fault.ts';
import { LabError } from './lab-error.ts';
import { patient } from './patience.ts';

export interface CgroupHierarchy {
  readonly mountPoint: string;
  readonly type: 'cgroup' | 'cgroup2';
  /** Mount options that give the same hierarchy again, e.g. `cpu,cpuacct` or `none,name=systemd`. */
  readonly options: string;
}

const killTimeoutMs = 20_000;
/** Of cgroup v2, all that Slurm and Docker limit by. */
const usedControllers = ['cpuset', 'cpu', 'io', 'memory', 'pids'] as const;
/** As systemd has them: for a host's own programs, and for slurmd, which makes its cgroups below `system.slice`. */
const hostParts = ['init.scope', 'system.slice'] as const;

/** The cgroup hierarchies named in a mountinfo text. */
export function parseHierarchies(mountInfo: string): CgroupHierarchy[] {
  const hierarchies: CgroupHierarchy[] = [];
  for (const line of mountInfo.split('\n')) {
    const [before, after] = line.split(' - ');
    const mountPoint = before?.split(' ')[4];
    const [type, , superOptions] = after?.split(' ') ?? [];
    if (!mountPoint || (type !== 'cgroup' && type !== 'cgroup2')) continue;
    if (hierarchies.some((known) => known.mountPoint === mountPoint)) continue;
    // There is only one of v2, wherever it is mounted besides.
    if (type === 'cgroup2' && hierarchies.some((known) => known.type === 'cgroup2')) continue;
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

/** The machine's cgroup hierarchies; fails where they do not offer what a lab needs, and says how to get it. */
export async function readHierarchies(): Promise<CgroupHierarchy[]> {
  const hierarchies = parseHierarchies(await readFile('/proc/self/mountinfo', 'utf8'));
  const unified = hierarchies.find(({ type }) => type === 'cgroup2');
  const read = async (file: string): Promise<string> => await readFile(file, 'utf8').catch(() => '');
  const offered = unified === undefined ? '' : await read(join(unified.mountPoint, 'cgroup.controllers'));
  const fault = findCgroupFault(hierarchies, offered, await read('/proc/cgroups'));
  if (fault !== undefined) throw fault;
  if (unified !== undefined && isUnified(hierarchies)) await requireDelegation(unified.mountPoint);
  return hierarchies;
}

/** A machine whose root of cgroup v2 hands no controllers down is told before anything is started. */
async function requireDelegation(root: string): Promise<void> {
  await handDown(root).catch((error: unknown) => {
    throw new LabError(
      `The kernel does not let ${root} hand its controllers down: ${error instanceof Error ? error.message : String(error)}.`,
      'In a container or another namespace: mount cgroups writable there, and move all processes of their root ' +
        'into a cgroup of their own (docs/lab.md, "What it needs").',
      error,
    );
  });
}

/** True where cgroup v2 is the machine's only hierarchy. */
export function isUnified(hierarchies: readonly CgroupHierarchy[]): boolean {
  return hierarchies.every(({ type }) => type === 'cgroup2');
}

/** How `boot-host.sh` is told about the hierarchies; `.` stands for the place of cgroup v2 alone. */
export function toBootArguments(hierarchies: readonly CgroupHierarchy[]): string[] {
  const isAlone = isUnified(hierarchies);
  return hierarchies.map(
    ({ mountPoint, type, options }) => `${isAlone ? '.' : basename(mountPoint)}=${type}:${options}`,
  );
}

/** The subtree `group/child` in every hierarchy, made where missing and ready to take processes. */
export async function makeCgroups(
  hierarchies: readonly CgroupHierarchy[],
  group: string,
  child: string,
): Promise<string[]> {
  const directories: string[] = [];
  for (const { mountPoint, type } of hierarchies) {
    let parent = mountPoint;
    for (const part of [group, child]) {
      const directory = join(parent, part);
      await mkdir(directory, { recursive: true });
      if (type === 'cgroup') await inheritCpuset(parent, directory);
      parent = directory;
    }
    directories.push(parent);
  }
  if (isUnified(hierarchies)) for (const { mountPoint } of hierarchies) await handDown(join(mountPoint, group));
  return directories;
}

/** The cgroups of a host. */
export interface HostCgroups {
  /** What the host sees as the root of each hierarchy. */
  readonly roots: readonly string[];
  /** Those in which its programs start: on cgroup v2 the root of a tree cannot hold processes and limits at once. */
  readonly leaves: readonly string[];
}

/** The cgroups of a host, made where missing; on cgroup v2 its root must still be given its controllers (`openHostCgroups`). */
export async function makeHostCgroups(
  hierarchies: readonly CgroupHierarchy[],
  group: string,
  host: string,
): Promise<HostCgroups> {
  const roots = await makeCgroups(hierarchies, group, host);
  if (!isUnified(hierarchies)) return { roots, leaves: roots };
  for (const root of roots) for (const part of hostParts) await mkdir(join(root, part), { recursive: true });
  return { roots, leaves: roots.map((root) => join(root, hostParts[0])) };
}

/** Hands a host's controllers down to where its Docker Engine and slurmd make cgroups; its root must be empty by then. */
export async function openHostCgroups(hierarchies: readonly CgroupHierarchy[], { roots }: HostCgroups): Promise<void> {
  if (!isUnified(hierarchies)) return;
  for (const root of roots) for (const part of ['', hostParts[1]]) await handDown(join(root, part));
}

/** Lets the children of a cgroup of v2 be limited by every controller that the lab uses and the cgroup has. */
async function handDown(directory: string): Promise<void> {
  const offered = (await readFile(join(directory, 'cgroup.controllers'), 'utf8')).trim().split(' ');
  const file = join(directory, 'cgroup.subtree_control');
  const given = (await readFile(file, 'utf8')).trim().split(' ');
  const missing = usedControllers.filter((name) => offered.includes(name) && !given.includes(name));
  if (missing.length > 0) await writeFile(file, missing.map((name) => `+${name}`).join(' '));
}

/** A cpuset cgroup of v1 takes no process before it has CPUs and memory nodes. */
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
  const deadline = Date.now() + patient(killTimeoutMs);
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

/** A process frozen by cgroup v1 (paused container, suspended job) dies only once it is thawed. */
async function thaw(hierarchies: readonly CgroupHierarchy[], subtree: string): Promise<void> {
  for (const directory of await listCgroups(hierarchies, subtree)) {
    const file = join(directory, 'freezer.state');
    if (existsSync(file)) await writeFile(file, 'THAWED').catch(() => undefined);
  }
}

/** Removes the subtree's directories, which must hold no process any more. */
export async function removeCgroups(hierarchies: readonly CgroupHierarchy[], subtree: string): Promise<void> {
  const deadline = Date.now() + patient(killTimeoutMs);
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
