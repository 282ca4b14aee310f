import type { SiteConfig } from '../config/site-schema.ts';
import { isDockerHub, parseImageReference, spellsOutDockerHub } from '../values/image-reference.ts';
import type { ImageReference } from '../values/image-reference.ts';
import { decideApplication, decideImage, listAllowing } from './decide-image.ts';
import type { WantedImage } from './decide-image.ts';
import type { Requester } from './requester.ts';

/** A registry that the site lets jobs fetch from. */
export type Registry = SiteConfig['images']['registries'][number];

/**
 * Where the image may be fetched from when a host lacks it; undefined when it must be there already. Only what the site has
 * written out is asked: the registry in `images.registries`, and docker.io, which a name without a registry means, also in
 * the pattern or the application. Throws what `decideImage` throws, so nothing is fetched that may not be run. Pure.
 */
export function findRegistry(site: SiteConfig, wanted: WantedImage, requester: Requester): Registry | undefined {
  if (site.images.pull === 'never') return undefined;
  const application = decideApplication(site, wanted, requester);
  const reference = parseImageReference(decideImage(site, wanted, application, requester).reference);
  const written =
    application === undefined
      ? listAllowing(site, reference, requester).map(({ image }) => image)
      : [application.image];
  return findWritten(site, reference, written);
}

/** The same for an image that site.yaml itself gives to jobs, as it is written there. */
export function findRegistryOfSite(site: SiteConfig, image: string): Registry | undefined {
  return findWritten(site, parseImageReference(image), [image]);
}

function findWritten(
  { images }: SiteConfig,
  reference: ImageReference,
  written: readonly string[],
): Registry | undefined {
  if (images.pull === 'never') return undefined;
  const registry = images.registries.find(({ host }) => host === reference.registry);
  return isDockerHub(reference) && !written.some(spellsOutDockerHub) ? undefined : registry;
}
