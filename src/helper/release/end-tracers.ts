import { readdir, readFile } from 'node:fs/promises';
import { lasts } from '../../system/deadline.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { readStart, signalProcess } from '../../system/signal-process.ts';
import type { HelperContext } from '../open-context.ts';

/** Together well below the ten seconds after which engines give a container up. */
export interface TracerPatience {
  /** In which an engine removes a container that nobody holds. */
  readonly askAfterMs: number;
  /** Between two looks: a debugger that works takes note of an end at once. */
  readonly lookEveryMs: number;
}

const usualPatience: TracerPatience = { askAfterMs: 3000, lookEveryMs: 1000 };

/** A process that is dead, and that its debugger has not let go. */
export interface HeldProcess {
  readonly pid: number;
  readonly tracer: number;
  readonly uid: number;
}

/**
 * Ends debuggers that keep containers of these users from being removed: a process that is killed while another one traces
 * it stays until that one takes note of its end, and with it the container. Nothing happens before `removed` has had time
 * to abort. A debugger is killed only when it is of the same user, and has held the same dead process of some PID name
 * space of its own at two looks; root's never is. To be called only for a job that is to be released. Never fails.
 */
export async function endTracers(
  { audit }: Pick<HelperContext, 'audit'>,
  job: JobKey,
  {
    uids,
    removed,
    patience = usualPatience,
  }: { readonly uids: ReadonlySet<number>; readonly removed: AbortSignal; readonly patience?: TracerPatience },
): Promise<void> {
  if (!(await lasts(patience.askAfterMs, removed))) return;
  let before = await findHeld(uids);
  while (await lasts(patience.lookEveryMs, removed)) {
    const now = await findHeld(uids);
    const again = now.filter(({ pid, tracer }) => before.some((held) => held.pid === pid && held.tracer === tracer));
    for (const tracer of new Set(again.map((held) => held.tracer))) {
      const known = { pid: tracer, since: readStart(`/proc/${tracer}`) };
      const uid = await ownerOf(tracer);
      if (uid === undefined || !uids.has(uid) || !signalProcess(known, { uid })) continue;
      audit.record('tracer-killed', { job, killedPid: tracer });
      process.stderr.write(
        `hpc-dockerjob-helper: note: process ${tracer}, a debugger, did not let go of dead processes and kept a container of job ${job} from being removed; it was killed\n`,
      );
    }
    before = now;
  }
}

async function findHeld(uids: ReadonlySet<number>): Promise<readonly HeldProcess[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(pids.map(async (pid) => heldBy(await readStatus(pid))));
  return found.filter((held) => held !== undefined && uids.has(held.uid)) as readonly HeldProcess[];
}

async function readStatus(pid: string): Promise<string> {
  return await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
}

/** Out of the text of /proc/PID/status; undefined for what is not dead, not traced, or in the host's own PID name space. */
export function heldBy(status: string): HeldProcess | undefined {
  const [pid, tracer, uid] = ['Pid', 'TracerPid', 'Uid'].map((name) => Number(fieldOf(status, name).split('\t')[0]));
  const isInside = fieldOf(status, 'NSpid').split('\t').length > 1;
  if (!fieldOf(status, 'State').startsWith('Z') || !isInside || !pid || !tracer || !uid) return undefined;
  return { pid, tracer, uid };
}

/** Undefined for a process that runs with the rights of several users, and for one that has ended. */
async function ownerOf(pid: number): Promise<number | undefined> {
  const [uid, ...others] = fieldOf(await readStatus(String(pid)), 'Uid').split('\t');
  return others.length === 3 && others.every((other) => other === uid) ? Number(uid) : undefined;
}

/** The name of a program stands before all fields, and the kernel escapes line ends in it. */
function fieldOf(status: string, name: string): string {
  return new RegExp(`^${name}:\\t(.*)$`, 'm').exec(status)?.[1] ?? '';
}
