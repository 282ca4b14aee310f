import type { SiteConfig } from '../../config/site-schema.ts';
import { findRegistryOfSite } from '../../policy/decide-fetch.ts';
import type { ContainerEngine } from '../../ports/container-engine.ts';
import { JobError } from '../../values/errors.ts';
import type { Check } from '../../contract/finding.ts';
import { fine, skipped } from '../../contract/finding.ts';

/** Every image that site.yaml itself gives to jobs is on this host, or can be fetched. */
export function checkImages(engine: Pick<ContainerEngine, 'findImage'>, site: SiteConfig): Check {
  return {
    name: 'images',
    look: async () => {
      const images = listImages(site);
      const found = await Promise.all(images.map(async (image) => await engine.findImage(image))).catch(unlessAway);
      if (found === undefined) return skipped('the Docker Engine is away');
      const absent = images.filter((_, index) => found[index] === undefined);
      const missing = absent.filter((image) => findRegistryOfSite(site, image) === undefined);
      const fetched = absent.length === 0 ? '' : `, ${absent.length} more are fetched by the jobs that want them`;
      if (missing.length === 0)
        return fine(`${images.length - absent.length} images of the catalogue are here${fetched}`);
      throw new JobError({
        code: 'IMAGE_NOT_PRESENT',
        message: `Images of the catalogue are not on this host: ${missing.join(', ')}.`,
        hint: 'Jobs do not fetch these (images.pull in site.yaml): docker pull, or docker save and docker load, the same image on every host.',
      });
    },
  };
}

/** Of the catalogue, and of LSF's aliases and queues; what users may name themselves is known when they do. */
function listImages({ applications, lsf }: SiteConfig): readonly string[] {
  const tables: readonly Readonly<Record<string, { readonly image: string }>>[] = [
    applications,
    lsf.aliases,
    lsf.queues,
  ];
  const given = tables.flatMap((table) => Object.values(table));
  return [...new Set(given.map(({ image }) => image))].filter((image) => image !== '');
}

/** The check of the engine tells of that; an operator shall see one fault once. */
function unlessAway(error: unknown): undefined {
  if (error instanceof JobError && error.code === 'ENGINE_UNREACHABLE') return undefined;
  throw error;
}
