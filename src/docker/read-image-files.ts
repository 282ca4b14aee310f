import { buffer } from 'node:stream/consumers';
import type Docker from 'dockerode';
import * as z from 'zod';
import { JobError } from '../values/errors.ts';
import { callEngine } from './call-engine.ts';
import type { EngineClient } from './call-engine.ts';

/** Files of an image, read through a container that is not running. */
export interface ImageFiles {
  /** Content of a file, its links followed inside the image as the engine does; undefined when there is none. */
  readText(path: string): Promise<string | undefined>;
  /** Where the link at this very path points, in its own words; undefined when it is no link or absent. */
  readLink(path: string): Promise<string | undefined>;
}

const statSchema = z.object({ size: z.number(), mode: z.number(), linkTarget: z.string() });
type Stat = z.infer<typeof statSchema>;

/** Go's bit for a directory. */
const directoryBit = 2 ** 31;
/** No such file of an image is longer. */
const maxBytes = 1024 * 1024;
const blockBytes = 512;

/** The files of the container's image. Fails with `IMAGE_UNUSABLE` on files that cannot be what they are called. */
export function openImageFiles(client: EngineClient, container: Docker.Container): ImageFiles {
  const stats = new Map<string, Promise<Stat | undefined>>();
  const lookAt = (path: string): Promise<Stat | undefined> => {
    const known = stats.get(path) ?? readStat(client, container, path);
    stats.set(path, known);
    return known;
  };
  return {
    readText: async (path) => {
      const own = await lookAt(path);
      // The engine has followed all of the link.
      const end = own !== undefined && own.linkTarget !== '' ? own.linkTarget : path;
      const stat = end === path ? own : await lookAt(end);
      if (stat === undefined) return undefined;
      if (stat.mode >= directoryBit || stat.size > maxBytes) throw unusable(path, 'is no file of a usual size');
      return readEntry(await readArchive(client, container, end), path).content.toString();
    },
    readLink: async (path) => {
      const stat = await lookAt(path);
      if (!stat?.linkTarget) return undefined;
      const { link } = readEntry(await readArchive(client, container, path), path);
      if (link === '') throw unusable(path, 'is a link that cannot be read');
      return link;
    },
  };
}

async function readStat(client: EngineClient, container: Docker.Container, path: string): Promise<Stat | undefined> {
  const answer = await callEngine<NodeJS.ReadableStream | undefined>(
    client,
    'look into the image',
    (abortSignal) => container.infoArchive({ path, abortSignal }) as Promise<NodeJS.ReadableStream>,
    { meaning: { 404: () => undefined, 500: refusePath(path) } },
  );
  if (answer === undefined) return undefined;
  answer.resume();
  const { headers } = answer as unknown as { headers: Readonly<Record<string, string>> };
  const text = Buffer.from(headers['x-docker-container-path-stat'] ?? '', 'base64').toString();
  return statSchema.parse(JSON.parse(text));
}

async function readArchive(client: EngineClient, container: Docker.Container, path: string): Promise<Buffer> {
  return await callEngine(client, 'look into the image', async (abortSignal) => {
    return await buffer(await container.getArchive({ path, abortSignal }));
  });
}

/** The one entry of a tar archive; further headers that say more of it come before. */
function readEntry(archive: Buffer, path: string): { readonly link: string; readonly content: Buffer } {
  for (let at = 0; at + blockBytes <= archive.length;) {
    const field = (start: number, length: number): string =>
      archive.toString('latin1', at + start, at + start + length).replace(/\0.*$/s, '');
    const size = Number.parseInt(field(124, 12).trim() || '0', 8);
    const type = field(156, 1);
    const content = archive.subarray(at + blockBytes, at + blockBytes + size);
    // "x" may hold the whole of a long link, "L" and "K" are the older way: such a link is none that an image needs.
    if (type === 'K' || (type === 'x' && /\d+ linkpath=/.test(content.toString('latin1')))) break;
    if (type === '2') return { link: Buffer.from(field(157, 100), 'latin1').toString(), content };
    if (type === '0' || type === '') return { link: '', content };
    at += blockBytes + Math.ceil(size / blockBytes) * blockBytes;
  }
  throw unusable(path, 'is neither a file nor a link that can be read');
}

/** A request for the head of an answer brings no words; links in a circle are what ends so. */
function refusePath(path: string): () => never {
  return () => {
    throw unusable(path, 'cannot be looked at (links in a circle?)');
  };
}

function unusable(path: string, reason: string): JobError {
  return new JobError({
    code: 'IMAGE_UNUSABLE',
    message: `The image cannot be used: its ${path} ${reason}.`,
    hint: 'Use an image with plain system files.',
  });
}
