import { loadSite } from '../../config/load-site.ts';
import type { SiteConfig } from '../../config/site-schema.ts';
import type { Check } from '../../contract/finding.ts';
import { fine } from '../../contract/finding.ts';

/** site.yaml is valid and root's alone along its whole path. `onLoaded` gets it: most other checks look at it. */
export function checkPolicy(path: string, onLoaded: (site: SiteConfig) => void): Check {
  return {
    name: 'policy',
    look: async () => {
      onLoaded(await loadSite(path, { mustBeTrusted: true }));
      return fine(`${path} is valid, and root's alone`);
    },
  };
}
