/** Ends a lab and proves that nothing of it is left. Everything is found by name, never by memory of who started it. */
import { execa } from 'execa';
import { readFile, readdir, rm } from 'node:fs/promises';
import { awaitCondition } from './await-condition.ts';
import { killProcesses, listCgroups, readHierarchies, removeCgroups } from './cgroup-tree.ts';
import type { CgroupHierarchy } from './cgroup-tree.ts';
import { checkMachine } from './check-machine.ts';
import { labLock, underLock } from './hold-lock.ts';
import { cgroupNameOf, checkLabName, defaultLabName, lockFileOf, stateDirOf } from './layout.ts';
import { step } from './report-progress.ts';
import type { Report } from './report-progress.ts';

const checkTimeoutMs = 10_000;

export type Purge = 'nothing' | 'state';

export interface DownOptions {
  readonly name?: string | undefined;
  /** `state` also removes the lab's homes, scratch and loaded images. The cache of built images is other labs' as well. */
  readonly purge?: Purge;
  /** How long to wait for another command that works on the lab; by default not at all. */
  readonly waitMs?: number | undefined;
  readonly report?: Report;
}

/** Ends everything of a lab, complete or half-made; fails if anything is left. Taking down what is not there is fine. */
export async function takeDown(options: DownOptions = {}): Promise<void> {
  const report = options.report ?? (() => undefined);
  const name = options.name ?? defaultLabName;
  checkMachine();
  checkLabName(name);
  const hierarchies = await readHierarchies();
  const lock = {
    ...labLock(name, lockFileOf(name)),
    ...(options.waitMs === undefined ? {} : { waitMs: options.waitMs }),
  };
  await underLock(lock, () => takeDownLocked(name, hierarchies, options.purge ?? 'nothing', report));
}

async function takeDownLocked(
  name: string,
  hierarchies: readonly CgroupHierarchy[],
  purge: Purge,
  report: Report,
): Promise<void> {
  // Namespaces, mounts and links have no life of their own here: they end with their last process.
  await step(report, 'processes', async () => `${await killProcesses(hierarchies, cgroupNameOf(name))} ended`);
  await step(report, 'cgroups', () => removeCgroups(hierarchies, cgroupNameOf(name)));
  await step(report, 'state', () => removeState(name, purge));
  await step(report, 'check', async () => {
    // What was killed needs a moment to be gone: the kernel takes its namespaces apart afterwards.
    await awaitCondition({ what: `The end of lab ${name}`, timeoutMs: checkTimeoutMs, intervalMs: 50 }, async () => {
      const left = await findRemains(hierarchies, name);
      return left.length === 0 ? undefined : `there is still ${left.join(', ')}`;
    });
    return 'nothing is left';
  });
}

async function removeState(name: string, purge: Purge): Promise<string> {
  if (purge === 'state') {
    await rm(stateDirOf(name), { recursive: true, force: true });
    return 'removed';
  }
  const hosts = `${stateDirOf(name)}/hosts`;
  for (const host of await readdir(hosts).catch(() => [])) {
    for (const part of ['upper', 'work', 'root'])
      await rm(`${hosts}/${host}/${part}`, { recursive: true, force: true });
  }
  return 'homes, scratch and images kept';
}

/** What still exists of a lab on this machine: processes, cgroups, mounts, links. */
export async function findRemains(hierarchies: readonly CgroupHierarchy[], name: string): Promise<string[]> {
  const remains: string[] = [];
  for (const directory of await listCgroups(hierarchies, cgroupNameOf(name))) remains.push(`cgroup ${directory}`);
  for (const pid of await listPids()) {
    const cgroups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
    if (cgroups.includes(`/${cgroupNameOf(name)}/`) && !(await isZombie(pid))) remains.push(`process ${pid}`);
  }
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  for (const line of mounts.split('\n'))
    if (line.includes(`${stateDirOf(name)}/`)) remains.push(`mount ${line.split(' ')[4] ?? line}`);
  const { stdout: links } = await execa('ip', ['-o', 'link', 'show'], { reject: false });
  for (const line of links.split('\n')) {
    const link = /^\d+: ([^:@]+)/.exec(line)?.[1];
    if (link === `br-${name}` || link?.startsWith(`${name.slice(0, 6)}-`)) remains.push(`link ${link}`);
  }
  return remains;
}

/** A zombie is gone but for its exit status, which waits for a parent that is not ours. */
async function isZombie(pid: string): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State:\tX');
  return /^State:\t[ZX]/m.test(status);
}

async function listPids(): Promise<string[]> {
  return (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
}

/** `findRemains` for callers that hold no hierarchies, such as tests. */
export async function listRemains(name: string): Promise<string[]> {
  return await findRemains(await readHierarchies(), name);
}
