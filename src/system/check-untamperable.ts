import { lstat, readlink } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { JobError } from '../values/errors.ts';
import type { ErrorCode } from '../values/errors.ts';

/** As the kernel limits it; a loop of links ends here. */
const maxLinks = 40;

export interface UntamperableOptions {
  /** What must stand at the end of the path; a program is a file that can be executed. */
  readonly expected: 'file' | 'program' | 'directory';
  /**
   * True for a directory that users may own or write to, while nobody but root can put another in its place:
   * the source of a mount.
   */
  readonly endMayBeShared?: boolean;
  /** Default: `CONFIG_UNTRUSTED`. */
  readonly code?: ErrorCode;
}

/**
 * Makes sure that nobody but root can change what `path` leads to: every directory on the way, links followed one by
 * one, and the end itself are owned by root and writable by root alone. Returns the path without links, which stays
 * true as long as root does not change it. Fails with the very part that is wrong.
 */
export async function checkUntamperable(path: string, options: UntamperableOptions): Promise<string> {
  const code = options.code ?? 'CONFIG_UNTRUSTED';
  if (!path.startsWith('/')) throw untrusted(code, path, path, 'is not an absolute path');
  let resolved = '/';
  demandRootOnly(resolved, await statPart(resolved, path, code), path, code);
  const parts = path.split('/').filter(isNamedPart);
  let links = 0;
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    if (part === '..') {
      // Safe: what stands in `resolved` has no links, and each directory above it was checked on the way down.
      resolved = resolved.replace(/\/[^/]*$/, '') || '/';
      continue;
    }
    const next = `${resolved === '/' ? '' : resolved}/${part}`;
    const stats = await statPart(next, path, code);
    if (stats.isSymbolicLink()) {
      if (++links > maxLinks) throw untrusted(code, path, next, 'leads through too many links');
      const target = await readlink(next);
      if (target.startsWith('/')) resolved = '/';
      parts.unshift(...target.split('/').filter(isNamedPart));
      continue;
    }
    const isEnd = parts.length === 0;
    if (!(isEnd && options.endMayBeShared)) demandRootOnly(next, stats, path, code);
    if (!isEnd && !stats.isDirectory()) throw untrusted(code, path, next, 'is not a directory');
    resolved = next;
  }
  await demandKind(resolved, path, options.expected, code);
  return resolved;
}

function isNamedPart(part: string): boolean {
  return part !== '' && part !== '.';
}

async function statPart(part: string, path: string, code: ErrorCode): Promise<Stats> {
  try {
    return await lstat(part);
  } catch (cause) {
    throw untrusted(
      code,
      path,
      part,
      `cannot be read (${cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'})`,
    );
  }
}

/** The sticky bit does not help: it lets others add files, and add what is not there yet. An ACL shows in the group's bits. */
function demandRootOnly(part: string, stats: Stats, path: string, code: ErrorCode): void {
  if (stats.uid !== 0) throw untrusted(code, path, part, `is owned by uid ${stats.uid}, not by root`);
  const others = [stats.mode & 0o020 ? 'its group' : '', stats.mode & 0o002 ? 'everybody' : ''].filter(Boolean);
  if (others.length > 0) throw untrusted(code, path, part, `may be written to by ${others.join(' and ')}`);
}

async function demandKind(
  resolved: string,
  path: string,
  expected: UntamperableOptions['expected'],
  code: ErrorCode,
): Promise<void> {
  const stats = await statPart(resolved, path, code);
  const fits = expected === 'directory' ? stats.isDirectory() : stats.isFile();
  if (!fits)
    throw untrusted(code, path, resolved, `is not a ${expected === 'directory' ? 'directory' : 'regular file'}`);
  if (expected === 'program' && (stats.mode & 0o111) === 0) throw untrusted(code, path, resolved, 'cannot be executed');
}

function untrusted(code: ErrorCode, path: string, part: string, reason: string): JobError {
  return new JobError({
    code,
    message: `${path} cannot be trusted: ${part} ${reason}.`,
    hint: `Every part of the path must be owned by root and writable by root alone: ls -ld ${part}`,
  });
}
