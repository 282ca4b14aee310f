import type { SiteConfig } from '../../config/site-schema.ts';
import type { Check } from '../../contract/finding.ts';
import { fine } from '../../contract/finding.ts';
import { checkUntamperable } from '../../system/check-untamperable.ts';
import { readCredentials } from '../host/registry-access.ts';

/** Credentials and authorities of the site's registries are where site.yaml says, and root's alone. Asks no registry. */
export function checkRegistries({ images }: Pick<SiteConfig, 'images'>): Check {
  return {
    name: 'registries',
    look: async () => {
      for (const registry of images.registries) {
        await readCredentials(registry);
        if (registry.caFile !== '') await checkUntamperable(registry.caFile, { expected: 'file' });
      }
      const hosts = images.registries.map(({ host }) => host).join(', ');
      return fine(images.pull === 'never' ? `none is asked (images.pull: never)` : `jobs fetch from ${hosts}`);
    },
  };
}
