/** Finds processes of a job that have left its process group, as the recorded system does: late, and only if it looked in time. */
import { readFile, readdir } from 'node:fs/promises';
import type { StartedProcess } from './start-process.ts';

interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** Tells a process from a later one of the same number. */
  readonly startedAt: string;
}

export class StrayList {
  readonly #seen = new Map<number, ProcessEntry>();

  /** Looks at the job's descendants at every interval until the job has ended. */
  follow(job: StartedProcess, intervalMs: number, ended: AbortSignal): void {
    const { pid } = job.child;
    if (pid === undefined) return;
    const timer = setInterval(() => void this.#look(pid).catch(() => undefined), intervalMs);
    ended.addEventListener('abort', () => clearInterval(timer));
  }

  /** Signals the process group of every stray that was seen and still is the same process; each group once. */
  signal(signal: NodeJS.Signals): void {
    void this.#listGroups()
      .then((groups) => groups.forEach((group) => signalIfThere(group, signal)))
      .catch(ignore);
  }

  async #listGroups(): Promise<ReadonlySet<number>> {
    const seen = [...this.#seen.values()];
    const now = await Promise.all(seen.map(({ pid }) => readEntry(pid)));
    const same = now.filter((entry, index) => entry !== undefined && entry.startedAt === seen[index]?.startedAt);
    return new Set(same.map((entry) => entry?.group ?? 0).filter((group) => group > 1));
  }

  async #look(root: number): Promise<void> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
    const entries = (await Promise.all(pids.map((pid) => readEntry(pid)))).filter((entry) => entry !== undefined);
    for (const entry of listDescendants(entries, root)) if (entry.group !== root) this.#seen.set(entry.pid, entry);
  }
}

function signalIfThere(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // It has ended.
  }
}

function ignore(): void {
  // It has ended.
}

function listDescendants(entries: readonly ProcessEntry[], root: number): ProcessEntry[] {
  const children = entries.filter(({ parent }) => parent === root);
  return children.flatMap((child) => [child, ...listDescendants(entries, child.pid)]);
}

async function readEntry(pid: number): Promise<ProcessEntry | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The program's name stands in brackets and may hold anything; the fields behind it may not.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields.length < 20) return undefined;
  return { pid, parent: Number(fields[1]), group: Number(fields[2]), startedAt: fields[19] ?? '' };
}
