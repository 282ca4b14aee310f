import { readFile, realpath } from 'node:fs/promises';

export type MountPropagation = 'rslave' | 'rprivate';

/**
 * How mounts made later below `source` come into the container. `rslave` lets automounted file systems appear, but the
 * engine refuses it for a source on a private mount.
 */
export async function chooseMountPropagation(source: string): Promise<MountPropagation> {
  const mountinfo = await readFile('/proc/self/mountinfo', 'utf8');
  // A missing source is the engine's to refuse, in its own words.
  const path = await realpath(source).catch(() => source);
  return propagationOf(mountinfo, path);
}

/** The propagation that fits the mount on which `path` lies, out of the text of /proc/self/mountinfo. */
export function propagationOf(mountinfo: string, path: string): MountPropagation {
  let best = { mountPoint: '', optional: [] as string[] };
  for (const line of mountinfo.split('\n')) {
    const fields = line.split(' ');
    const mountPoint = unescapeMountPoint(fields[4] ?? '');
    // Of several mounts on one place the last one listed is on top.
    if (mountPoint === '' || !lies(path, mountPoint) || mountPoint.length < best.mountPoint.length) continue;
    best = { mountPoint, optional: fields.slice(6, fields.indexOf('-', 6)) };
  }
  return best.optional.some((field) => /^(?:shared|master):/.test(field)) ? 'rslave' : 'rprivate';
}

function lies(path: string, mountPoint: string): boolean {
  return mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`);
}

/** The kernel writes blanks and the like as three octal digits. */
function unescapeMountPoint(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
