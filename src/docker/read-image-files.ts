import { buffer } from 'node:stream/consumers';
import type Docker from 'dockerode';
import * as z from 'zod';
import { callEngine } from './call-engine.ts';
import type { EngineClient } from './call-engine.ts';
import { parseJsonAs } from '../values/parse-json-as.ts';

/** What is at one path of an image, the path's own last link not followed. */
export type ImageEntry =
  { readonly kind: 'directory' | 'file' | 'special' } | { readonly kind: 'link'; readonly target: string };

/** Files of an image, read through a container that is not running. All fail with `ImageFault`. */
export interface ImageFiles {
  /** Content of a file, its links followed inside the image as the engine does; undefined when there is none. */
  readText(path: string): Promise<string | undefined>;
  /** What is at this path, whose parents must be no links; undefined when there is nothing. */
  lookAt(path: string): Promise<ImageEntry | undefined>;
}

/** Something in an image that is not what it is called; the message is a clause that begins with "its". */
export class ImageFault extends Error {}

const statSchema = z.object({ size: z.number(), mode: z.number(), linkTarget: z.string() });
type Stat = z.infer<typeof statSchema>;

/** Go's bits of a mode: directory, link, and those of what is no plain file (device, pipe, socket, and unknown). */
const directoryBit = 2 ** 31;
const linkBit = 2 ** 27;
const specialBits = [2 ** 26, 2 ** 25, 2 ** 24, 2 ** 21, 2 ** 19];
/** No such file of an image is longer. */
const maxBytes = 1024 * 1024;
const blockBytes = 512;

/** The files of the container's image. */
export function openImageFiles(client: EngineClient, container: Docker.Container): ImageFiles {
  const stats = remember((path) => readStat(client, container, path));
  const lookAt = remember(async (path): Promise<ImageEntry | undefined> => {
    const stat = await stats(path);
    if (stat === undefined) return undefined;
    const kind = kindOf(stat);
    if (kind !== 'link') return { kind };
    const { link } = readEntry(await readArchive(client, container, path), path);
    if (link === '') throw new ImageFault(`its ${path} is a link that cannot be read`);
    return { kind, target: link };
  });
  return {
    lookAt,
    readText: async (path) => {
      const own = await stats(path);
      // The engine has followed all of the link.
      const end = own !== undefined && own.linkTarget !== '' ? own.linkTarget : path;
      const stat = end === path ? own : await stats(end);
      if (stat === undefined) return undefined;
      if (kindOf(stat) !== 'file' || stat.size > maxBytes)
        throw new ImageFault(`its ${path} is no file of a usual size`);
      return readEntry(await readArchive(client, container, end), path).content.toString();
    },
  };
}

function remember<T>(ask: (path: string) => Promise<T>): (path: string) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (path) => {
    const answer = known.get(path) ?? ask(path);
    known.set(path, answer);
    return answer;
  };
}

function kindOf({ mode }: Stat): ImageEntry['kind'] {
  const has = (bit: number): boolean => Math.floor(mode / bit) % 2 === 1;
  if (has(directoryBit)) return 'directory';
  if (has(linkBit)) return 'link';
  return specialBits.some(has) ? 'special' : 'file';
}

async function readStat(client: EngineClient, container: Docker.Container, path: string): Promise<Stat | undefined> {
  const answer = await callEngine<NodeJS.ReadableStream | 'refused' | undefined>(
    client,
    'look into the image',
    (abortSignal) => container.infoArchive({ path, abortSignal }) as Promise<NodeJS.ReadableStream>,
    { meaning: { 404: () => undefined, ...(path === '/' ? {} : { 500: () => 'refused' as const }) } },
  );
  if (answer === undefined) return undefined;
  if (answer === 'refused') {
    // The head of an answer has no words. An engine that can look at the image's root has a reason in the image.
    await readStat(client, container, '/');
    throw new ImageFault(`its ${path} cannot be looked at (links in a circle?)`);
  }
  answer.resume();
  const { headers } = answer as unknown as { headers: Readonly<Record<string, string>> };
  const text = Buffer.from(headers['x-docker-container-path-stat'] ?? '', 'base64').toString();
  return parseJsonAs(statSchema, text);
}

async function readArchive(client: EngineClient, container: Docker.Container, path: string): Promise<Buffer> {
  return await callEngine(client, 'look into the image', async (abortSignal) => {
    return await buffer(await container.getArchive({ path, abortSignal }));
  });
}

/** The one entry of a tar archive; further headers that say more of it come before. Fails with `ImageFault`. */
export function readEntry(archive: Buffer, path: string): { readonly link: string; readonly content: Buffer } {
  for (let at = 0; at + blockBytes <= archive.length;) {
    const field = (start: number, length: number): string =>
      archive.toString('latin1', at + start, at + start + length).replace(/\0.*$/s, '');
    const [digits] = /^[0-7]*$/.exec(field(124, 12).trim()) ?? [];
    if (digits === undefined) break;
    const size = Number.parseInt(digits || '0', 8);
    const type = field(156, 1);
    const content = archive.subarray(at + blockBytes, at + blockBytes + size);
    // "x" may hold the whole of a long link, "L" and "K" are the older way: such a link is none that an image needs.
    if (type === 'K' || (type === 'x' && /\d linkpath=/.test(content.toString('latin1')))) break;
    if (type === '2') return { link: Buffer.from(field(157, 100), 'latin1').toString(), content };
    if (type === '0' || type === '') return { link: '', content };
    at += blockBytes + Math.ceil(size / blockBytes) * blockBytes;
  }
  throw new ImageFault(`its ${path} is neither a file nor a link that can be read`);
}
