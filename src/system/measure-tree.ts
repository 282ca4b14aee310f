import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { lstat, open, opendir } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

/** What files take up on their disk. */
export interface DiskUse {
  readonly bytes: number;
  readonly inodes: number;
}

/** The unit of `blocks`, on every file system. */
const blockBytes = 512;

/** Directories deeper than this are counted as more than any bound: each level holds an open file while it is looked at. */
const deepest = 100;

/**
 * The bytes and inodes of all below a directory that users may change meanwhile. No link is followed and no file system
 * but the directory's own is entered, whatever is exchanged during the look. Ends early, with what it has, once that is
 * more than `bound`. Fails when the directory itself cannot be read.
 */
export async function measureTree(directory: string, bound: DiskUse): Promise<DiskUse> {
  const use = { bytes: 0, inodes: 0 };
  await using root = await openDirectory(directory);
  await measureBelow(root, (await root.stat()).dev, { use, bound, depth: 0 });
  return use;
}

interface Measuring {
  readonly use: { bytes: number; inodes: number };
  readonly bound: DiskUse;
  readonly depth: number;
}

async function measureBelow(directory: FileHandle, device: number, measuring: Measuring): Promise<void> {
  const { use, bound, depth } = measuring;
  // Through the open file: the path may lead elsewhere by now.
  const here = `/proc/self/fd/${directory.fd}`;
  // As bytes: a name that is no text must be found again, too.
  for await (const { name } of await opendir(here, { encoding: 'buffer' as BufferEncoding })) {
    const path = Buffer.concat([Buffer.from(`${here}/`), name as unknown as Buffer]);
    const stats = await lstat(path).catch(() => undefined);
    if (stats === undefined) continue; // removed meanwhile
    use.inodes += 1;
    use.bytes += stats.isDirectory() ? stats.blocks * blockBytes : shareOf(stats);
    if (stats.isDirectory() && stats.dev === device) {
      if (depth === deepest) use.inodes = Infinity;
      else await enterDirectory(path, device, { ...measuring, depth: depth + 1 });
    }
    if (use.bytes > bound.bytes || use.inodes > bound.inodes) return;
  }
}

async function enterDirectory(path: Buffer, device: number, measuring: Measuring): Promise<void> {
  const opened = await openDirectory(path).catch(() => undefined);
  if (opened === undefined) return; // removed or exchanged meanwhile: the next look counts what is there then
  await using directory = opened;
  await measureBelow(directory, device, measuring);
}

async function openDirectory(path: string | Buffer): Promise<FileHandle> {
  return await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}

/** A file of several names is counted in parts, one for each. */
function shareOf({ blocks, nlink }: Stats): number {
  return (blocks * blockBytes) / Math.max(1, nlink);
}
