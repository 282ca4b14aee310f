import { readFile, readdir, readlink, stat } from 'node:fs/promises';

/** Open files that are looked at in one go; more than a program that does not want to be seen could need. */
const mostOpenFiles = 200_000;

/**
 * The bytes of files that processes keep open although their last name is gone, on the file system that is the root of
 * the process `pid`; `pid` must be the first of its PID namespace. Nothing else is touched: a look at an open file of
 * another file system might never return. Files that are mapped, or on their way through a socket, are not seen.
 */
export async function measureRemovedFiles(pid: number): Promise<number> {
  // The kernel's own view of the container's processes, by their numbers there.
  const processes = `/proc/${pid}/root/proc`;
  const rootMount = await findRootMount(pid);
  if (rootMount === undefined) return 0;
  const bytesByFile = new Map<string, number>();
  let looked = 0;
  for (const name of await readdir(processes).catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    for (const fd of await readdir(`${processes}/${name}/fd`).catch(() => [])) {
      looked += 1;
      if (looked > mostOpenFiles) return sum(bytesByFile);
      const found = await lookAt(`${processes}/${name}`, fd, rootMount);
      if (found !== undefined) bytesByFile.set(found.file, found.bytes);
    }
  }
  return sum(bytesByFile);
}

async function lookAt(
  process: string,
  fd: string,
  rootMount: string,
): Promise<{ readonly file: string; readonly bytes: number } | undefined> {
  const path = await readlink(`${process}/fd/${fd}`).catch(() => '');
  if (!path.endsWith(' (deleted)')) return undefined;
  const facts = await readFile(`${process}/fdinfo/${fd}`, 'utf8').catch(() => '');
  if (/^mnt_id:\s*(\d+)$/m.exec(facts)?.[1] !== rootMount) return undefined;
  const stats = await stat(`${process}/fd/${fd}`).catch(() => undefined);
  if (stats === undefined || stats.nlink > 0) return undefined;
  return { file: `${stats.dev}:${stats.ino}`, bytes: stats.blocks * 512 };
}

/** The number of the mount at "/". */
async function findRootMount(pid: number): Promise<string | undefined> {
  const mounts = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '');
  return /^(\d+) \d+ \S+ \S+ \/ /m.exec(mounts)?.[1];
}

function sum(bytes: ReadonlyMap<string, number>): number {
  return [...bytes.values()].reduce((total, each) => total + each, 0);
}
