import { readFileSync } from 'node:fs';

/** One process for ever: its pid may become another one's. */
export interface KnownProcess {
  readonly pid: number;
  /** When it began, in clock ticks since the host's start. */
  readonly since: string;
}

export interface Signalling {
  /** Whose process it must be: one of its four uids. */
  readonly uid: number;
  readonly signal?: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT';
}

/**
 * Sends a signal to a process that is still the one that was looked at, and still that user's; SIGKILL when no other is
 * named. Looks right before: for the pid to be another process's by now, it would have to end and all pids of the host
 * be used up in between. Node knows no handle on a process that would make even that impossible. Returns false when
 * nothing was sent; never fails.
 */
export function signalProcess(known: KnownProcess, { uid, signal = 'SIGKILL' }: Signalling): boolean {
  if (!isStill(known, uid)) return false;
  try {
    return process.kill(known.pid, signal);
  } catch {
    return false; // it has just ended
  }
}

/** True when this is still the process that was looked at, and still one of the user's. Answers at once. */
export function isStill({ pid, since }: KnownProcess, uid: number, processes = '/proc'): boolean {
  return since !== '' && readStart(`${processes}/${pid}`) === since && hasUid(`${processes}/${pid}`, uid);
}

/** When the process of this directory of a proc began; empty when it has ended. The kernel answers at once. */
export function readStart(directory: string): string {
  return readStatField(directory, 22);
}

/** R, S, D, T (stopped), Z …; empty when the process has ended. The kernel answers at once. */
export function readState(directory: string): string {
  return readStatField(directory, 3);
}

/** True when one of its uids, real, effective, saved or the file system's, is this one. The kernel answers at once. */
export function hasUid(directory: string, uid: number): boolean {
  try {
    const status = readFileSync(`${directory}/status`, 'utf8');
    return /^Uid:\t(.*)$/m.exec(status)?.[1]?.split('\t').includes(String(uid)) === true;
  } catch {
    return false; // it has just ended
  }
}

function readStatField(directory: string, field: number): string {
  try {
    const line = readFileSync(`${directory}/stat`, 'utf8');
    // The name in brackets may hold anything; the third field follows its last bracket.
    return line.slice(line.lastIndexOf(')') + 2).split(' ')[field - 3] ?? '';
  } catch {
    return '';
  }
}
