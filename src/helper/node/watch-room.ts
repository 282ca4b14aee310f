import { statfs } from 'node:fs/promises';
import { formatBytes } from '../../values/format-bytes.ts';
import { JobError } from '../../values/errors.ts';

const lookEveryMs = 1000;

/** Who looks whether a disk has room; until disposed. */
export interface RoomWatch extends Disposable {
  /** Aborts with `IMAGE_NOT_FETCHED` once less than `leastBytes` are free. */
  readonly signal: AbortSignal;
}

/**
 * Watches the disk on which the Docker Engine has its images: users choose what is fetched, and what stands there stays. A
 * directory that is not known, or cannot be looked at, has room.
 */
export async function watchRoom(directory: string | undefined, leastBytes: number): Promise<RoomWatch> {
  const full = new AbortController();
  const look = async (): Promise<void> => {
    const found = directory === undefined ? undefined : await statfs(directory).catch(() => undefined);
    const freeBytes = found === undefined ? Infinity : found.bavail * found.bsize;
    if (freeBytes < leastBytes) full.abort(noRoom(freeBytes, leastBytes));
  };
  await look();
  const timer = setInterval(() => void look(), lookEveryMs);
  return { signal: full.signal, [Symbol.dispose]: () => clearInterval(timer) };
}

function noRoom(freeBytes: number, leastBytes: number): JobError {
  return new JobError({
    code: 'IMAGE_NOT_FETCHED',
    message: `the disk of the Docker Engine has ${formatBytes(freeBytes)} left, and images are fetched only as long as there are ${formatBytes(leastBytes)}`,
    hint: 'Ask the administrators to remove images that nobody needs (docker image prune).',
  });
}
