import { lstat, readdir } from 'node:fs/promises';
import type Docker from 'dockerode';
import * as z from 'zod';
import { splitDevice } from '../system/device-number.ts';
import { callEngine } from './call-engine.ts';
import type { EngineClient } from './call-engine.ts';
import { DeviceEntries } from './device-entries.ts';
import type { DeviceFile } from './device-entries.ts';
import { inspectContainer } from './inspect-container.ts';
import { ImageFault } from './read-image-files.ts';

/**
 * The device files of the image that somebody but root may open, in words. The container itself could not open them, but
 * its user on the host can, by /proc/PID/root or by a descriptor out of the container: there no rule about devices holds
 * them, and the container's root is no `nodev` mount. Fails with `ImageFault` for files that cannot all be looked at.
 */
export async function findDeviceFaults(client: EngineClient, container: Docker.Container): Promise<readonly string[]> {
  const layers = listLayers((await inspectContainer(client, container))?.GraphDriver);
  const found = layers === undefined ? await findInArchive(client, container) : await findInLayers(layers);
  return found
    .filter(isOpenToUsers)
    .map(
      ({ path, kind, major, minor }) =>
        `its ${path ?? 'file of a long name'} is a ${kind} device (${major}:${minor}) that users could open`,
    );
}

/** Devices that every host lets everybody open: null, zero, full, random, urandom, tty, ptmx. */
const harmless: readonly string[] = ['1:3', '1:5', '1:7', '1:8', '1:9', '5:0', '5:2'];

/**
 * In every container the engine's own file system lies over it, and builders leave much there. But another directory of the
 * image can lead to the same files (overlay's `redirect`), so only what is closed to all but root and a system's own group.
 */
const hidden = '/dev/';
const firstOfUsers = 1000;
/** Builders leave it open to all. */
const usualConsole = { path: '/dev/console', number: '5:1' };

/** Rights of an ACL show in those of the group. */
export function isOpenToUsers({ path, kind, major, minor, mode, uid, gid }: DeviceFile): boolean {
  const number = `${major}:${minor}`;
  if (kind === 'character' && harmless.includes(number)) return false;
  if (kind === 'character' && path === usualConsole.path && number === usualConsole.number) return false;
  if (path?.startsWith(hidden) === true && gid < firstOfUsers) return uid !== 0 || (mode & 0o007) !== 0;
  return uid !== 0 || (mode & 0o077) !== 0;
}

/** `GraphDriver` of a container that is not running, as overlay2 and its kin fill it in. */
const layersSchema = z.object({ Data: z.object({ LowerDir: z.string().startsWith('/') }) });

/** The directories of the image's layers on this host; undefined where the engine does not tell them. */
function listLayers(graphDriver: unknown): readonly string[] | undefined {
  return layersSchema.safeParse(graphDriver).data?.Data.LowerDir.split(':');
}

/** An image of more files is none that a container is started of. */
const mostEntries = 4_000_000;
/** As many as Node asks the file system at once. */
const atOnce = 4;

/**
 * All device files in these directories, which are root's and do not change. What a layer hides of those below it counts
 * too: an image can lay it open again.
 */
export async function findInLayers(layers: readonly string[], most = mostEntries): Promise<readonly DeviceFile[]> {
  const waiting = layers.map((layer) => ({ directory: Buffer.from(layer), skipped: layer.length }));
  const found: DeviceFile[] = [];
  let entries = 0;
  const look = async ({ directory, skipped }: Waiting): Promise<void> => {
    for (const entry of await listDirectory(directory)) {
      entries += 1;
      if (entries > most) throw new ImageFault(`its files are more than ${most}`);
      // As bytes: a name that is no text must be found again, too.
      const path = Buffer.concat([directory, slash, entry.name]);
      if (entry.isDirectory()) waiting.push({ directory: path, skipped });
      if (!entry.isBlockDevice() && !entry.isCharacterDevice()) continue;
      const file = await readDevice(path, skipped);
      if (!isWhiteout(file)) found.push(file);
    }
  };
  while (waiting.length > 0) await Promise.all(waiting.splice(-atOnce).map(look));
  return found;
}

/** A directory, and how much of its path is the layer's own. */
interface Waiting {
  readonly directory: Buffer;
  readonly skipped: number;
}

const slash = Buffer.from('/');

async function listDirectory(
  directory: Buffer,
): Promise<
  readonly (Record<'isDirectory' | 'isBlockDevice' | 'isCharacterDevice', () => boolean> & { name: Buffer })[]
> {
  return await readdir(directory, { withFileTypes: true, encoding: 'buffer' }).catch((error: unknown) => {
    if (!isTooLong(error)) throw error;
    throw new ImageFault('its directories are too deep to be looked through');
  });
}

function isTooLong(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENAMETOOLONG';
}

async function readDevice(path: Buffer, skipped: number): Promise<DeviceFile> {
  const stats = await lstat(path);
  return {
    path: path.subarray(skipped).toString(),
    kind: stats.isBlockDevice() ? 'block' : 'character',
    ...splitDevice(stats.rdev),
    mode: stats.mode,
    uid: stats.uid,
    gid: stats.gid,
  };
}

/** By this overlay file systems mark what a layer takes away. */
function isWhiteout({ kind, major, minor }: DeviceFile): boolean {
  return kind === 'character' && major === 0 && minor === 0;
}

/** Reading all of a large image takes a while; it is done once for each image. */
const archiveMs = 600_000;

/** The same where the engine keeps layers to itself: out of all that it gives of the container's files. */
async function findInArchive(client: EngineClient, container: Docker.Container): Promise<readonly DeviceFile[]> {
  const found = await callEngine<readonly DeviceFile[] | ImageFault>(
    client,
    'look through the image',
    async (abortSignal) =>
      await readArchive(await container.export({ abortSignal })).catch((error: unknown) => {
        if (error instanceof ImageFault) return error; // no failure of the engine's
        throw error;
      }),
    { extraMs: archiveMs },
  );
  if (found instanceof ImageFault) throw found;
  return found;
}

async function readArchive(archive: AsyncIterable<Buffer | string>): Promise<readonly DeviceFile[]> {
  const entries = new DeviceEntries();
  for await (const piece of archive) entries.take(Buffer.from(piece));
  return entries.found;
}
