import { realpathSync } from 'node:fs';
import { findMount, readMountTable } from '../system/mount-table.ts';
import type { MountEntry } from '../system/mount-table.ts';
import { findForbidden, isBelow, reservedDirectories, throughRun } from './forbidden-sources.ts';
import type { SiteConfig } from './site-schema.ts';

/** The file system of a host, as far as it says what a mount would bring into containers. */
export interface HostView {
  /** Where a path leads by links; undefined when nothing is there, or nothing that this process may see. */
  readonly resolve: (path: string) => string | undefined;
  readonly mounts: readonly MountEntry[];
}

/** Why a source may not be mounted: where it leads on this host, and what of the host's system it would bring. */
export interface ForbiddenHere {
  readonly end: string;
  readonly brings: string;
}

/** Of the kernel: wherever they are mounted, they show processes, devices and settings of the host. */
const kernelFileSystems = [
  ...['proc', 'sysfs', 'devtmpfs', 'devpts', 'cgroup', 'cgroup2', 'securityfs', 'debugfs', 'tracefs', 'configfs'],
  ...['bpf', 'pstore', 'efivarfs', 'binfmt_misc', 'mqueue', 'nsfs', 'selinuxfs', 'fusectl', 'rpc_pipefs'],
];

/** This very host, looked at once. */
export function viewHost(): HostView {
  return {
    resolve: (path) => {
      try {
        return realpathSync(path);
      } catch {
        return undefined;
      }
    },
    mounts: readMountTable(),
  };
}

/** Where the site says that its secrets are. */
type SiteSecrets = Pick<SiteConfig, 'docker' | 'etcd' | 'images'>;

/**
 * What a mount of `source` would bring into containers on this host that no site.yaml can allow, by links and by mounts
 * of the same file system in another place; undefined when it is nothing, or when the source is not there. What else is
 * mounted below the source comes with it, and is looked at with `withMountsBelow`.
 */
export function findForbiddenHere(
  source: string,
  site: SiteSecrets,
  host: HostView,
  withMountsBelow = true,
): ForbiddenHere | undefined {
  const end = host.resolve(source);
  if (end === undefined) return undefined;
  const reserved = listReserved(site, host);
  const brings = findForbidden(end, reserved) ?? findInFileSystems(end, reserved, host, withMountsBelow);
  return brings === undefined ? undefined : { end, brings };
}

/** Each as it is written, and where it leads: a socket or a store may be a link to another disk. */
function listReserved({ docker, etcd, images }: SiteSecrets, host: HostView): readonly string[] {
  const credentials = images.registries.map(({ credentialsFile }) => credentialsFile).filter((file) => file !== '');
  const written = [...reservedDirectories, ...[docker.socket, etcd.keyFile, ...credentials].map(throughRun)];
  return [...new Set(written.flatMap((path) => [path, host.resolve(path) ?? path]))];
}

interface Place {
  readonly device: string;
  readonly path: string;
}

function findInFileSystems(
  end: string,
  reserved: readonly string[],
  { mounts }: HostView,
  withMountsBelow: boolean,
): string | undefined {
  const below = withMountsBelow ? mounts.filter(({ mountPoint }) => isBelow(mountPoint, end)) : [];
  const own = findMount(end, mounts);
  for (const { fileSystem, mountPoint } of [...(own === undefined ? [] : [own]), ...below])
    if (kernelFileSystems.includes(fileSystem)) return `the ${fileSystem} file system at ${mountPoint}`;
  const places = [placeOf(end, mounts), ...below.map(({ device, root }) => ({ device, path: root }))];
  const root = placeOf('/', mounts);
  const reservedPlaces = reserved.map((path) => ({ path, place: placeOf(path, mounts) }));
  for (const place of places) {
    if (place === undefined) continue;
    if (isSame(place, root)) return '/';
    const found = reservedPlaces.find((other) => meet(place, other.place));
    if (found !== undefined) return found.path;
  }
  return undefined;
}

/** Which directory of which file system it is, wherever that is mounted. */
function placeOf(path: string, mounts: readonly MountEntry[]): Place | undefined {
  const mount = findMount(path, mounts);
  if (mount === undefined) return undefined;
  const inside = mount.mountPoint === '/' ? path : path.slice(mount.mountPoint.length);
  return {
    device: mount.device,
    path: `${mount.root === '/' ? '' : mount.root}${inside === '/' ? '' : inside}` || '/',
  };
}

function isSame(place: Place, other: Place | undefined): boolean {
  return place.device === other?.device && place.path === other.path;
}

function meet(place: Place, other: Place | undefined): boolean {
  if (place.device !== other?.device) return false;
  return isInside(place.path, other.path) || isInside(other.path, place.path);
}

/** Here the root directory is that of a file system, of which all else is a part. */
function isInside(path: string, directory: string): boolean {
  return directory === '/' || isBelow(path, directory);
}
