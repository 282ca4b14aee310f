import { findOpenFiles, findRootMount } from './open-files.ts';

/**
 * The bytes of files that processes of a user keep open although their last name is gone, on the file system that is the
 * root of the process `pid`: in the container, and on the host, where a process can open them by /proc/PID/root.
 * Files that are mapped, or on their way through a socket, are not seen.
 */
export async function measureRemovedFiles(pid: number, uid: number): Promise<number> {
  const root = await findRootMount(pid);
  if (root === undefined) return 0;
  const removed = (await findOpenFiles(root, uid)).filter(({ stats }) => stats.nlink === 0);
  const bytesByFile = new Map(removed.map(({ key, stats }) => [key, stats.blocks * 512]));
  return [...bytesByFile.values()].reduce((total, each) => total + each, 0);
}
