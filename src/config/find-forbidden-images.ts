import { matchesImagePattern, parseImagePattern } from '../values/image-pattern.ts';
import { parseImageReference } from '../values/image-reference.ts';
import type { SiteConfig } from './site-schema.ts';

/**
 * Images that site.yaml promises to jobs of LSF's aliases and queues and forbids in `images.allowed`: each such job is refused.
 * No fault that closes the site to other jobs, but one to mend. Empty when there is none.
 */
export function findForbiddenImages({ lsf, images }: SiteConfig): readonly string[] {
  const patterns = images.allowed.map(({ image }) => parseImagePattern(image));
  return (['aliases', 'queues'] as const).flatMap((table) =>
    Object.entries(lsf[table])
      .filter(([, { image }]) => image !== '')
      .filter(([, { image }]) => {
        const reference = parseImageReference(image);
        return !patterns.some((pattern) => matchesImagePattern(reference, pattern));
      })
      .map(
        ([name, { image }]) =>
          `lsf.${table}.${name}.image: "${image}" is not allowed by images.allowed, so every such job would be refused`,
      ),
  );
}
