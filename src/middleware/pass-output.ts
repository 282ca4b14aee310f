import { fstatSync, statSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';

/**
 * True when a child's output to this descriptor has to go through this process, which then sees whether its reader takes
 * it, and whether the file has room for it: launchers lose in silence what cannot be written. Not so for /dev/null.
 */
export function isPassedThrough(descriptor: number): boolean {
  try {
    const found = fstatSync(descriptor);
    return !found.isCharacterDevice() || found.rdev !== statSync('/dev/null').rdev;
  } catch {
    return false; // closed
  }
}

/** Passes all on, and waits for a reader who is behind. A reader who has gone is told to whoever writes, as by a pipe. */
export function passOutput(source: Readable, target: Writable): void {
  target.setMaxListeners(0); // each host may have a source of its own
  source.pipe(target, { end: false });
  const letGo = (): void => {
    source.unpipe(target);
    source.destroy();
  };
  if (target.destroyed) letGo();
  else target.once('close', letGo);
  source.once('close', () => target.off('close', letGo));
}
