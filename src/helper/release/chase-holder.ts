import { readdirSync, readFileSync, statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { pause } from '../../system/deadline.ts';
import { isBelow, readMountId, seesMount } from '../../system/open-files.ts';
import type { RootMount } from '../../system/open-files.ts';
import type { KnownProcess } from '../../system/signal-process.ts';
import { readStart, signalProcess } from '../../system/signal-process.ts';

/** How long it is looked for. */
export interface Chase {
  /** Nobody forks who is quicker than the look at all processes, once no pid was given for so long. */
  readonly quietMs: number;
  /** On a host where others fork. */
  readonly mostMs: number;
  /** Once processes of this user have ended while they were looked at. */
  readonly mostForkingMs: number;
}

/** So many of a user that are gone at once are no chance. */
const forking = 3;
/** On a host where nobody forks this costs next to nothing. */
const idleMs = 1;
/** Looks in one go: others have a turn then. */
const looksAtOnce = 200;

/** A look at all processes of a host takes longer; one that forks without a pause is met within some milliseconds. */
const leastQuietMs = 10;

/** After a look at all processes that has lasted so long and met none. */
export function chaseAfter(lookMs: number): Chase {
  return { quietMs: Math.max(leastQuietMs, lookMs), mostMs: 30, mostForkingMs: 1000 };
}

/**
 * Stops a process of the user's that has anything of this mount open, or stands in it, and forks without a pause: a list of processes never has
 * its present pid, so the kernel is asked for the one that it gave last. Undefined when none was met. The process is
 * stopped when it is returned: it is for the caller to kill.
 */
export async function chaseHolder(
  { uid, root }: { readonly uid: number; readonly root: RootMount },
  { quietMs, mostMs, mostForkingMs }: Chase,
): Promise<KnownProcess | undefined> {
  const begunAt = performance.now();
  let last: number | undefined;
  let lastAt = begunAt;
  let gone = 0;
  for (let looks = 1; ; looks += 1) {
    const now = performance.now();
    if (now - lastAt > quietMs || now - begunAt > (gone < forking ? mostMs : mostForkingMs)) return undefined;
    if (looks % looksAtOnce === 0) await setImmediate();
    const pid = lastPid();
    if (pid === undefined) return undefined;
    if (pid === last) {
      if (now - lastAt > idleMs) await pause(idleMs);
      continue;
    }
    last = pid;
    lastAt = now;
    const held = lookAt(pid, uid, root);
    if (held === 'gone') gone += 1;
    if (held !== 'holds') continue;
    const holder = { pid, since: readStart(`/proc/${pid}`) };
    if (!signalProcess(holder, { uid, signal: 'SIGSTOP' })) {
      gone += 1;
      continue;
    }
    // Now there is time to look: of another mount that has this number by now it is no holder.
    if (lookAt(pid, uid, root) === 'holds' && !(await seesMount(pid, root))) return holder;
    signalProcess(holder, { uid, signal: 'SIGCONT' });
  }
}

/** The pid that was given last on this host. */
function lastPid(): number | undefined {
  const pid = Number(/ (\d+)\n$/.exec(readFileSync('/proc/loadavg', 'latin1'))?.[1]);
  return pid > 1 ? pid : undefined;
}

/** All in one go: a process that forks without a pause lives for as long as some calls of the kernel. */
function lookAt(pid: number, uid: number, root: RootMount): 'holds' | 'gone' | 'other' {
  const process = `/proc/${pid}`;
  try {
    if (statSync(process).uid !== uid) return 'other';
  } catch {
    return 'other'; // of whom, nobody knows
  }
  try {
    const fds = readdirSync(`${process}/fd`);
    const isHeld = (fd: string): boolean =>
      readMountId(`${process}/fdinfo/${fd}`) === root.id && statSync(`${process}/fd/${fd}`).dev === root.device;
    const found = fds.some(isHeld) || isBelow(`${process}/cwd`, root);
    return found ? 'holds' : fds.length === 0 ? 'gone' : 'other';
  } catch {
    return 'gone';
  }
}
