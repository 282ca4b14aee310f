import { closeSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import type { KnownProcess } from './signal-process.ts';
import { hasUid, readStart } from './signal-process.ts';

/** The mount at "/" of a container, as the kernel numbers it and its file system. */
export interface RootMount {
  /** `mnt_id` of what is opened there. */
  readonly id: string;
  readonly device: number;
}

/** An open regular file of a process. */
export interface OpenFile extends KnownProcess {
  /** The same for all who have this very file open. */
  readonly key: string;
  readonly stats: Stats;
}

/** Open files that are looked at in one go; more than a program that does not want to be seen could need. */
const mostOpenFiles = 200_000;

/** The mount at "/" of a process; undefined when it is gone. */
export async function findRootMount(pid: number): Promise<RootMount | undefined> {
  const mounts = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '');
  const id = /^(\d+) \d+ \S+ \S+ \/ /m.exec(mounts)?.[1];
  const found = await stat(`/proc/${pid}/root/`).catch(() => undefined);
  return id === undefined || found === undefined ? undefined : { id, device: found.dev };
}

/**
 * The regular files that the processes of one user have open below this mount, in every table of open files: a thread can
 * have one of its own. Processes of other users are looked at only where the user has started them (a setuid program
 * keeps what was open). `processes`: a mounted proc. Nothing else is touched: a look at an open file of another file
 * system might never return.
 */
export async function findOpenFiles(root: RootMount, uid: number, processes = '/proc'): Promise<readonly OpenFile[]> {
  const found: OpenFile[] = [];
  let looked = 0;
  for (const name of await readdir(processes).catch(() => [])) {
    if (!/^\d+$/.test(name) || !isStartedBy(`${processes}/${name}`, uid)) continue;
    const since = readStart(`${processes}/${name}`);
    for (const thread of await readdir(`${processes}/${name}/task`).catch(() => [])) {
      for (const fd of await readdir(`${processes}/${name}/task/${thread}/fd`).catch(() => [])) {
        looked += 1;
        if (looked > mostOpenFiles) return found;
        if (looked % 500 === 0) await setImmediate(); // others have a turn
        const stats = await statBelow(`${processes}/${name}/task/${thread}`, fd, root);
        if (stats !== undefined) found.push({ pid: Number(name), since, key: `${stats.dev}:${stats.ino}`, stats });
      }
    }
  }
  return found;
}

/** Linux: opens no file, only finds it. The file system is not asked. */
const pathOnly = 0o10000000;

/**
 * The processes of one user that have anything below this mount open, or stand in a directory of it, though they do not see
 * the mount themselves: as `findOpenFiles`, but directories count, too.
 */
export async function findHolders(root: RootMount, uid: number, processes = '/proc'): Promise<readonly KnownProcess[]> {
  const found: KnownProcess[] = [];
  const budget = { left: mostOpenFiles };
  for (const name of await readdir(processes).catch(() => [])) {
    const process = `${processes}/${name}`;
    if (!/^\d+$/.test(name) || !isStartedBy(process, uid)) continue;
    const since = readStart(process);
    const pid = Number(name);
    if ((await holdsAny(process, root, budget)) && !(await seesMount(pid, root, processes))) found.push({ pid, since });
  }
  return found;
}

/** In any of its threads, which may have tables and directories of their own. */
async function holdsAny(process: string, root: RootMount, budget: { left: number }): Promise<boolean> {
  for (const thread of await readdir(`${process}/task`).catch(() => [])) {
    const task = `${process}/task/${thread}`;
    if (['cwd', 'root'].some((place) => isBelow(`${task}/${place}`, root))) return true;
    for (const fd of await readdir(`${task}/fd`).catch(() => [])) {
      budget.left -= 1;
      if (budget.left < 0) return false;
      if (budget.left % 500 === 0) await setImmediate();
      if (readMountId(`${task}/fdinfo/${fd}`) === root.id && isBelow(`${task}/fd/${fd}`, root)) return true;
    }
  }
  return false;
}

/** True when what this link of a proc stands for lies there; the kernel answers at once. */
export function isBelow(link: string, root: RootMount): boolean {
  try {
    const descriptor = openSync(link, pathOnly);
    try {
      const isThere = readMountId(`/proc/self/fdinfo/${descriptor}`) === root.id;
      return isThere && fstatSync(descriptor).dev === root.device;
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return false; // it has just ended
  }
}

/** True when one of its uids is the user's. Hundreds are asked for each job: the kernel answers at once, without a thread. */
function isStartedBy(process: string, uid: number): boolean {
  try {
    const owner = statSync(process, { throwIfNoEntry: false })?.uid;
    return owner === 0 ? hasUid(process, uid) : owner === uid;
  } catch {
    return false; // it has just ended
  }
}

async function statBelow(process: string, fd: string, root: RootMount): Promise<Stats | undefined> {
  if (readMountId(`${process}/fdinfo/${fd}`) !== root.id) return undefined;
  const stats = await stat(`${process}/fd/${fd}`).catch(() => undefined);
  return stats?.isFile() === true && stats.dev === root.device ? stats : undefined;
}

/** The number of the mount, out of a file of `fdinfo`; undefined when that is gone. Asked of every open file: the kernel answers at once. */
export function readMountId(facts: string): string | undefined {
  try {
    return /^mnt_id:\s*(\d+)$/m.exec(readFileSync(facts, 'utf8'))?.[1];
  } catch {
    return undefined; // it has just been closed
  }
}

/** True when the mount is one that the process itself sees: then what it has open there is of its own file system. */
export async function seesMount(pid: number, { id }: RootMount, processes = '/proc'): Promise<boolean> {
  const mounts = await readFile(`${processes}/${pid}/mountinfo`, 'utf8').catch(() => '');
  return new RegExp(`^${id} `, 'm').test(mounts);
}
