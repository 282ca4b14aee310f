import { liesBelow } from '../system/mount-table.ts';

/** Of the host's system: the kernel's, the services' or root's, never a user's data. No site.yaml can allow them. */
export const reservedDirectories = [
  ...['/proc', '/sys', '/dev', '/run', '/boot', '/etc', '/root'],
  // Engines and their parts: who reads or writes there is root. Their sockets are below /run.
  ...['/var/lib/docker', '/var/lib/containerd'],
] as const;

/** What a mount of this directory would bring into containers that never may be there; undefined when it is nothing. */
export function findForbidden(source: string, reserved: readonly string[] = reservedDirectories): string | undefined {
  const path = throughRun(source);
  if (path === '/') return '/';
  return reserved.find((other) => isBelow(path, other) || isBelow(other, path));
}

/** /var/run is a link to /run on every current Linux: both spellings are one place. */
export function throughRun(path: string): string {
  return path.replace(/^\/var\/run(?=\/|$)/, '/run');
}

export function isBelow(path: string, directory: string): boolean {
  return path === directory || (directory !== '/' && liesBelow(path, directory));
}
