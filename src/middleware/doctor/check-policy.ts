import { findForbiddenImages } from '../../config/find-forbidden-images.ts';
import { loadSite } from '../../config/load-site.ts';
import type { SiteConfig } from '../../config/site-schema.ts';
import type { Check } from '../../contract/finding.ts';
import { fine } from '../../contract/finding.ts';
import { JobError } from '../../values/errors.ts';

/** site.yaml is valid and root's alone along its whole path. `onLoaded` gets it: most other checks look at it. */
export function checkPolicy(path: string, onLoaded: (site: SiteConfig) => void): Check {
  return {
    name: 'policy',
    look: async () => {
      const site = await loadSite(path, { mustBeTrusted: true });
      onLoaded(site);
      const forbidden = findForbiddenImages(site);
      if (forbidden.length > 0)
        throw new JobError({
          code: 'CONFIG_INVALID',
          message: `${path} promises images that it forbids: ${forbidden.join('; ')}.`,
          hint: 'Add them to images.allowed, or make applications of them.',
        });
      return fine(`${path} is valid, and root's alone`);
    },
  };
}
