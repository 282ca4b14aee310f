import type { SiteConfig } from '../../config/site-schema.ts';
import { findRegistry } from '../../policy/decide-fetch.ts';
import { decideImageOnly } from '../../policy/decide-request.ts';
import { anyRequester } from '../../policy/requester.ts';
import type { ContainerEngine } from '../../ports/container-engine.ts';
import { JobError } from '../../values/errors.ts';
import type { Check } from '../../contract/finding.ts';
import { fine } from '../../contract/finding.ts';
import type { HostQuestion } from '../../contract/host-question.ts';

/** The image that a job wants is allowed and on this host. Nobody learns of images that he may not use. */
export function checkAskedImage(
  engine: Pick<ContainerEngine, 'findImage'>,
  site: SiteConfig,
  wanted: Pick<HostQuestion, 'application' | 'image'>,
): Check {
  return {
    name: 'image',
    look: async () => {
      const reference = decideImageOnly(site, wanted);
      if ((await engine.findImage(reference)) !== undefined) return fine(`${reference} is here`);
      const registry = findRegistry(site, wanted, anyRequester);
      if (registry !== undefined) return fine(`${reference} is not here: jobs fetch it from ${registry.host}`);
      throw new JobError({
        code: 'IMAGE_NOT_PRESENT',
        message: `Image ${reference} is not on this host.`,
        hint: 'Ask the administrators to load it: jobs do not fetch it (images.pull in site.yaml).',
      });
    },
  };
}
