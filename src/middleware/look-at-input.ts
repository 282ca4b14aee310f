import { spawnSync } from 'node:child_process';
import { fstatSync, readFileSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { isatty } from 'node:tty';

/** What can be said of this process's standard input without reading it. */
export interface InputFacts {
  readonly kind: 'closed' | 'null' | 'terminal' | 'directory' | 'file' | 'pipe' | 'device';
  /** Of a file: before and behind the place where the next read begins. */
  readonly readBytes: number;
  readonly unreadBytes: number;
  /** `call`: it was given to us alone. `script`: whoever started us has it, too. */
  readonly owner: 'call' | 'script' | 'unknown';
  /** False when every process above us that can be looked at has it: the scheduler has brought it. */
  readonly isMadeInside: boolean;
  /** Of a stream that the scheduler has brought to a script: true when something is known to be in it. */
  readonly hasWaiting: boolean;
}

const nullDevice = 0x103;
const ours = { owner: 'call', isMadeInside: true } as const;
const nothing = { readBytes: 0, unreadBytes: 0, owner: 'unknown', isMadeInside: false, hasWaiting: false } as const;

/** Looks at descriptor 0 and at that of the processes above, unless it is known to be meant for this very call. */
export function lookAtInput(isOurs = false): InputFacts {
  const stats = statOrUndefined(() => fstatSync(0));
  if (stats === undefined) return { kind: 'closed', ...nothing };
  const kind = kindOf(stats);
  if (kind !== 'file' && kind !== 'pipe' && kind !== 'device') return { kind, ...nothing };
  const position = kind === 'file' ? readPosition('self') : 0;
  const whose = isOurs ? ours : findOwner();
  return {
    kind,
    readBytes: position,
    unreadBytes: Math.max(0, stats.size - position),
    ...whose,
    hasWaiting: kind === 'pipe' && whose.owner === 'script' && !whose.isMadeInside && hasBytesWaiting(),
  };
}

function kindOf(stats: Stats): InputFacts['kind'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isFIFO() || stats.isSocket()) return 'pipe';
  if (stats.isCharacterDevice() && stats.rdev === nullDevice) return 'null';
  return isatty(0) ? 'terminal' : 'device';
}

/** FIONREAD, which Node does not offer, of descriptor 0; takes nothing out of it. False where there is no perl. */
export function hasBytesWaiting(): boolean {
  const script = 'my $n = pack "i", 0; exit !(ioctl(STDIN, 0x541B, $n) && unpack("i", $n) > 0)';
  const { status } = spawnSync('/usr/bin/perl', ['-e', script], {
    stdio: ['inherit', 'ignore', 'ignore'],
    timeout: 2000,
  });
  return status === 0;
}

/** Programs that start another one with their own standard input and never read it. */
const wrappers = new Set([
  'timeout',
  'time',
  'nohup',
  'setsid',
  'nice',
  'ionice',
  'env',
  'stdbuf',
  'chrt',
  'taskset',
  'numactl',
]);
const mostAncestors = 100;

function findOwner(): Pick<InputFacts, 'owner' | 'isMadeInside'> {
  const own = identify('self');
  let owner: InputFacts['owner'] | undefined;
  for (let pid = process.ppid, seen = 0; pid > 1 && seen < mostAncestors; pid = parentOf(pid), seen += 1) {
    const theirs = identify(pid);
    if (theirs === undefined) return { owner: owner ?? 'unknown', isMadeInside: false };
    if (theirs !== own) return { owner: owner ?? 'call', isMadeInside: true };
    if (!wrappers.has(commandOf(pid))) owner = 'script';
  }
  return { owner: owner ?? 'unknown', isMadeInside: false };
}

/** The same text for the same open file; two openings of one file tell apart by where they stand. Undefined: may not be looked at. */
function identify(pid: number | 'self'): string | undefined {
  try {
    const stats = statSync(`/proc/${pid}/fd/0`);
    return [stats.dev, stats.ino, stats.isFile() ? readPosition(pid) : 0].join();
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'closed' : undefined;
  }
}

function readPosition(pid: number | 'self'): number {
  const [, position = '0'] = /^pos:\s*(\d+)$/m.exec(readOrEmpty(`/proc/${pid}/fdinfo/0`)) ?? [];
  return Number(position);
}

function commandOf(pid: number): string {
  return readOrEmpty(`/proc/${pid}/comm`).trim();
}

function parentOf(pid: number): number {
  const [, parent = '0'] = /^PPid:\s*(\d+)$/m.exec(readOrEmpty(`/proc/${pid}/status`)) ?? [];
  return Number(parent);
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function statOrUndefined(look: () => Stats): Stats | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
