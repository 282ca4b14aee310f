import { readFileSync, statSync } from 'node:fs';
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

/** Asked of every open file: the kernel answers at once. */
function readMountId(facts: string): string | undefined {
  try {
    return /^mnt_id:\s*(\d+)$/m.exec(readFileSync(facts, 'utf8'))?.[1];
  } catch {
    return undefined; // it has just been closed
  }
}

/** True when the mount is one that the process itself sees: then what it has open there is of its own file system. */
export async function seesMount(pid: number, { id }: RootMount): Promise<boolean> {
  const mounts = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '');
  return new RegExp(`^${id} `, 'm').test(mounts);
}
