import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { open } from 'node:fs/promises';

export interface FileBound {
  readonly mostBytes: number;
  /** Of a longer file its first bytes are read, or none at all. */
  readonly longer?: 'cut' | 'refused';
}

// Not blocking: a pipe without a writer would hold the caller for ever.
const readOnly = constants.O_RDONLY | constants.O_NONBLOCK;

/**
 * The bytes of a regular file, of which somebody else may have made a pipe or a device. Fails with an `Error` whose message
 * says what the path is, or with the system's own.
 */
export async function readRegularFile(path: string, bound: FileBound): Promise<Buffer> {
  await using file = await open(path, readOnly);
  const buffer = Buffer.alloc(judgeLength(await file.stat(), bound));
  let length = 0;
  for (let bytes = -1; bytes !== 0 && length < buffer.length; length += bytes)
    bytes = (await file.read(buffer, length, buffer.length - length, null)).bytesRead;
  return buffer.subarray(0, length);
}

/** As `readRegularFile`, for those who cannot wait: the disk holds the whole program meanwhile. */
export function readRegularFileSync(path: string, bound: FileBound): Buffer {
  const descriptor = openSync(path, readOnly);
  try {
    const buffer = Buffer.alloc(judgeLength(fstatSync(descriptor), bound));
    let length = 0;
    for (let bytes = -1; bytes !== 0 && length < buffer.length; length += bytes)
      bytes = readSync(descriptor, buffer, length, buffer.length - length, null);
    return buffer.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}

/** How many bytes are to be read; it may be less by now, and what has been added meanwhile is left out. */
function judgeLength(stats: Stats, { mostBytes, longer = 'refused' }: FileBound): number {
  if (!stats.isFile()) throw new Error('it is not a regular file');
  if (stats.size > mostBytes && longer === 'refused') throw new Error(`it is longer than ${mostBytes / 1024 ** 2} MiB`);
  return Math.min(stats.size, mostBytes);
}
