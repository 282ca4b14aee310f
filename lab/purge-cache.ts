/** Empties the cache of built images and guests, which all labs and machine tests of this machine share. */
import { existsSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { buildLock, imagesDirOf } from './build-images.ts';
import { underLock } from './hold-lock.ts';
import { cacheDir } from './layout.ts';

/**
 * Removes every built image, when no image is being built; running labs keep what their hosts have loaded. The cache's
 * directory itself stays, since hosts have it mounted: what is built next appears in it. Says what was removed.
 */
export async function purgeCache(directory: string = cacheDir): Promise<string> {
  const images = imagesDirOf(directory);
  if (!existsSync(images)) return 'The image cache is empty.';
  return await underLock(buildLock(directory), async () => {
    await rm(join(directory, 'guests'), { recursive: true, force: true });
    const names = await readdir(images);
    let bytes = 0;
    for (const name of names) {
      const file = join(images, name);
      bytes += (await stat(file)).size;
      await rm(file, { recursive: true, force: true });
    }
    const archives = names.filter((name) => name.endsWith('.tar')).length;
    return `The image cache is empty now: ${archives} images removed, ${Math.round(bytes / 1e6)} MB.`;
  });
}
