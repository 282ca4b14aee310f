import { readFile, stat } from 'node:fs/promises';

/** What the kernel says of a process; nothing of it can be written by anybody else than the process and the kernel. */
export interface ProcessFacts {
  readonly pid: number;
  /** When it began, in clock ticks since the host's start: with the pid it names one process for ever. */
  readonly startTicks: string;
  /** The file that it runs, by inode: an update of the package gives that file another name. */
  readonly executableInode: string;
  /** Real, effective, saved and file system's; of a process of root's four times 0. */
  readonly uids: readonly string[];
  /** Empty once it has ended and nobody has taken note of it yet. */
  readonly argv: readonly string[];
  /** R, S, D, T (stopped), t (held by a debugger), Z … */
  readonly state: string;
  /** Differs from an earlier one as soon as the process has done anything at all, were it only to look at the clock. */
  readonly pulse: string;
}

/** Undefined when there is no such process, or no more. */
export async function readProcess(pid: number | 'self'): Promise<ProcessFacts | undefined> {
  const directory = `/proc/${pid}`;
  try {
    const [line, status, commandLine, executable] = await Promise.all([
      readFile(`${directory}/stat`, 'utf8'),
      readFile(`${directory}/status`, 'utf8'),
      readFile(`${directory}/cmdline`, 'utf8'),
      stat(`${directory}/exe`, { bigint: true }),
    ]);
    const argv = commandLine.split('\0').slice(0, -1);
    return { ...parseStat(line, status), executableInode: `${executable.dev}.${executable.ino}`, argv };
  } catch {
    return undefined;
  }
}

/** Out of the texts of /proc/PID/stat and /proc/PID/status. */
export function parseStat(line: string, status: string): Omit<ProcessFacts, 'argv' | 'executableInode'> {
  // The name in brackets may hold anything, brackets and line ends too; the third field follows its last bracket.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): string => fields[number - 3] ?? '';
  const named = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
  const switches = [named('voluntary_ctxt_switches'), named('nonvoluntary_ctxt_switches')];
  return {
    pid: Number.parseInt(line, 10),
    startTicks: field(22),
    uids: named('Uid').split('\t'),
    state: field(3),
    pulse: [field(14), field(15), ...switches].join(' '),
  };
}
