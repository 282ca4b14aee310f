import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { purgeCache } from '../../../lab/purge-cache.ts';

describe('the image cache', () => {
  it('is emptied without its directory, and says how much it held', async () => {
    const cache = await mkdtemp(path.join(tmpdir(), 'hpcdj-cache-'));
    try {
      const images = path.join(cache, 'images');
      expect(await purgeCache(cache)).toBe('The image cache is empty.');
      await mkdir(path.join(images, 'partial-mpi'), { recursive: true });
      for (const name of ['tiny-1.tar', 'mpi-2.tar']) await writeFile(path.join(images, name), Buffer.alloc(1_500_000));
      await writeFile(path.join(images, 'tiny-1.id'), 'sha256:0');
      expect(await purgeCache(cache)).toBe('The image cache is empty now: 2 images removed, 3 MB.');
      expect(await readdir(images)).toEqual([]);
    } finally {
      await rm(cache, { recursive: true });
    }
  });
});
