import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { CommandSignal } from '../connect-helper.ts';
import type { ProcessGroup } from './process-group.ts';

/** In which a command that has just been started gets to listen; a shell needs milliseconds, an MPI launcher less than a second. */
const usualSettleMs = 3000;
const lookEveryMs = 20;

/**
 * Passes signals on to the command's process group. A command that has just been started and does not listen yet would end of
 * a warning that came early: it gets that once it listens, after `settleMs` at the latest, and several of the same kind as one.
 */
export function passCommandSignals(group: ProcessGroup, settleMs = usualSettleMs): (signal: CommandSignal) => void {
  const settledAt = performance.now() + settleMs;
  const held = new Set<CommandSignal>();
  const isDue = (signal: CommandSignal): boolean => performance.now() >= settledAt || listens(group.child.pid, signal);
  const look = (): void => {
    for (const signal of [...held].filter(isDue)) {
      held.delete(signal);
      group.signal(signal);
    }
    if (held.size > 0 && group.isAlive) setTimeout(look, lookEveryMs).unref();
  };
  return (signal) => {
    const isAwaited = held.size > 0;
    if (isDue(signal)) group.signal(signal);
    else held.add(signal);
    if (!isAwaited && held.size > 0) setTimeout(look, lookEveryMs).unref();
  };
}

/** Whether the process has said what is to become of the signal: its own handler, or nothing. */
function listens(pid: number | undefined, signal: CommandSignal): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const masks = [...status.matchAll(/^Sig(?:Cgt|Ign):\s*([0-9a-f]+)$/gm)].map(([, mask]) => BigInt(`0x${mask}`));
    const bit = 1n << BigInt(constants.signals[signal] - 1);
    return masks.some((mask) => (mask & bit) !== 0n);
  } catch {
    return true; // it has ended
  }
}
