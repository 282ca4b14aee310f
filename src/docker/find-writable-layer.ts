import { readFile } from 'node:fs/promises';
import * as z from 'zod';

/** `GraphDriver` of a container, as the storage drivers overlay2 and fuse-overlayfs fill it in. */
const graphDriverSchema = z.object({ Data: z.object({ UpperDir: z.string().startsWith('/') }) });

/**
 * The directory of the host that takes up what a container writes into its image's file system: by the engine's word, or
 * by the kernel's for an engine that has given its storage to containerd. Undefined with a storage driver that has none.
 */
export async function findWritableLayer(graphDriver: unknown, pid: number): Promise<string | undefined> {
  const told = graphDriverSchema.safeParse(graphDriver).data?.Data.UpperDir;
  if (told !== undefined) return told;
  return findUpperDirectory(await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => ''));
}

/** The upper directory of the overlay that is mounted at "/", out of the text of mountinfo. */
export function findUpperDirectory(mountinfo: string): string | undefined {
  const root = mountinfo.split('\n').find((line) => /^\d+ \d+ \S+ \S+ \/ /.test(line));
  const upper = /[ ,]upperdir=([^, ]+)/.exec(root?.split(' - overlay ')[1] ?? '')?.[1];
  return upper?.startsWith('/') === true ? upper.replaceAll(/\\(?!000)([0-3][0-7]{2})/g, unescapeOctal) : undefined;
}

function unescapeOctal(_: string, digits: string): string {
  return String.fromCharCode(Number.parseInt(digits, 8));
}
