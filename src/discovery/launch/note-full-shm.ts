import { statfsSync } from 'node:fs';
import { constants } from 'node:os';
import { formatBytes } from '../../values/format-bytes.ts';

/** What a shell makes of a command that a bus error has ended. */
const busError = 128 + constants.signals.SIGBUS;
/** A page may be free although the next one that a program asked for was not. */
const nearlyFull = 0.98;
const lookEveryMs = 2000;
/** Ranks that die of it take what they had in /dev/shm along, a moment before their mpirun ends. */
const rememberedMs = 30_000;

export interface ShmWatch extends Disposable {
  /** A remark on a command that ended so, when a full /dev/shm explains it. To be asked at once: others clean up. */
  explain(exitStatus: number): string | undefined;
}

/** Looks at the shared memory of this container now and then, for the one end that it explains. */
export function watchShm(directory = '/dev/shm'): ShmWatch {
  let fullAt = -Infinity;
  const look = (): void => {
    if (isFull(directory)) fullAt = performance.now();
  };
  const timer = setInterval(look, lookEveryMs).unref();
  return {
    explain: (exitStatus) => {
      if (exitStatus !== busError) return undefined;
      look();
      return performance.now() - fullAt < rememberedMs ? describeFull(directory) : undefined;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

function isFull(directory: string): boolean {
  try {
    const { blocks, bfree } = statfsSync(directory);
    return blocks > 0 && 1 - bfree / blocks >= nearlyFull;
  } catch {
    return false; // an image without it
  }
}

function describeFull(directory: string): string {
  const { blocks, bsize } = statfsSync(directory);
  return `the command ended by a bus error, and ${directory} was full: it has ${formatBytes(blocks * bsize)}. Ask for more with --shm-size SIZE or SHM_SIZE; explain says how much this site allows.`;
}
