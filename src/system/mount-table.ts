import { readFileSync } from 'node:fs';

/** A mount of this host, as the kernel tells it. */
export interface MountEntry {
  /** Numbers of the device, by which two mounts of one file system are known. */
  readonly device: string;
  /** The directory of the file system that is mounted here: of a bind mount not its root. */
  readonly root: string;
  readonly mountPoint: string;
  readonly fileSystem: string;
  /** True when mounts that are made below it can come into other mount name spaces. */
  readonly propagates: boolean;
}

/** The mounts that this process sees. */
export function readMountTable(): readonly MountEntry[] {
  return parseMountTable(readFileSync('/proc/self/mountinfo', 'utf8'));
}

/** Out of the text of /proc/self/mountinfo, in its order. */
export function parseMountTable(text: string): readonly MountEntry[] {
  return text
    .split('\n')
    .map((line) => line.split(' '))
    .filter((fields) => fields.length > 6)
    .map((fields) => {
      const separator = fields.indexOf('-', 6);
      return {
        device: fields[2] ?? '',
        root: unescapeOctal(fields[3] ?? ''),
        mountPoint: unescapeOctal(fields[4] ?? ''),
        fileSystem: fields[separator + 1] ?? '',
        propagates: fields.slice(6, separator).some((field) => /^(?:shared|master):/.test(field)),
      };
    });
}

/** The mount on which `path` lies; of several on one place the last one listed is on top. */
export function findMount(path: string, table: readonly MountEntry[]): MountEntry | undefined {
  let best: MountEntry | undefined;
  for (const entry of table) {
    if (!liesBelow(path, entry.mountPoint)) continue;
    if (best === undefined || entry.mountPoint.length >= best.mountPoint.length) best = entry;
  }
  return best;
}

/** True for the directory itself as well. Both are absolute and in normal form. */
export function liesBelow(path: string, directory: string): boolean {
  return directory === '/' || path === directory || path.startsWith(`${directory}/`);
}

/** The kernel writes blanks and the like as three octal digits. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
