import { posix } from 'node:path';
import type { ImageFacts } from '../ports/container-engine.ts';

/** The targets of an image's volumes as the engine understands them, each once. */
export function listVolumes({ volumes }: Pick<ImageFacts, 'volumes'>): readonly string[] {
  return [...new Set(volumes.map(volumeTarget))];
}

/** The place of one volume, however the image writes it. */
export function volumeTarget(volume: string): string {
  return posix.normalize(volume).replace(/\/$/, '');
}
