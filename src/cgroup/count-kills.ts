import { readdir } from 'node:fs/promises';
import { cgroupRoot, hierarchiesOf } from './hierarchies.ts';
import { readKernelNumber } from './read-kernel-file.ts';

/** As engines name the cgroups of containers, with the cgroupfs driver and with systemd's. */
const containerPattern = /^(?:docker-)?[0-9a-f]{64}(?:\.scope)?$/;

/** Users may make cgroups of their own below a task's: no more than this are looked at. */
const bounds = { depth: 8, cgroups: 1000 };

/** What the kernel has counted since memory ran out in a job's cgroup. */
export interface KillCounts {
  /** Processes that it has killed there, containers left out: our own, and what the batch script has started. */
  readonly ownKills: number;
  /** How often the job as a whole met its limit (cgroup v1), or had a process killed anywhere in it (v2). */
  readonly failures: number;
  /** Processes that were killed on this host, for whatever limit. */
  readonly hostKills: number;
}

/** Where the counts are; default: where the kernel has them. */
export interface KillFiles {
  readonly root?: string | undefined;
  readonly vmstat?: string | undefined;
}

/**
 * The counts of the job's cgroup at `path`. Of a step that the scheduler has removed the own kills are gone, not so the
 * job's failures. What cannot be read counts for none; never fails.
 */
export async function countKills(
  path: string,
  { root = cgroupRoot, vmstat = '/proc/vmstat' }: KillFiles = {},
): Promise<KillCounts> {
  const [memory] = await hierarchiesOf('memory', root);
  const hostKills = await readCount(vmstat, killPattern);
  if (memory === undefined) return { ownKills: 0, failures: 0, hostKills };
  const { isUnified } = memory;
  const directory = `${memory.directory}${path}`;
  const [ownKills, failures] = await Promise.all([
    // Those of each cgroup itself: the other file of cgroup v2 counts what is below as well.
    sumOwnKills(directory, isUnified ? 'memory.events.local' : 'memory.oom_control'),
    isUnified
      ? readCount(`${directory}/memory.events`, killPattern)
      : readCount(`${directory}/memory.failcnt`, /^(\d{1,15})$/m),
  ]);
  return { ownKills, failures, hostKills };
}

/** True when the kernel has killed a process of the job between the two counts. */
export function provesKill(before: KillCounts, now: KillCounts): boolean {
  return now.ownKills > before.ownKills || (now.failures > before.failures && now.hostKills > before.hostKills);
}

const killPattern = /^oom_kill (\d{1,15})$/m;

async function sumOwnKills(top: string, file: string): Promise<number> {
  let seen = 0;
  const sum = async (directory: string, depth: number): Promise<number> => {
    let kills = await readCount(`${directory}/${file}`, killPattern);
    const entries = depth < bounds.depth ? await readdir(directory, { withFileTypes: true }).catch(() => []) : [];
    for (const entry of entries) {
      if (!entry.isDirectory() || containerPattern.test(entry.name)) continue;
      seen += 1;
      if (seen > bounds.cgroups) break;
      kills += await sum(`${directory}/${entry.name}`, depth + 1);
    }
    return kills;
  };
  return await sum(top, 0);
}

async function readCount(file: string, pattern: RegExp): Promise<number> {
  return (await readKernelNumber(file, pattern)) ?? 0;
}
