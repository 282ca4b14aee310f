import type { SiteConfig } from '../../config/site-schema.ts';
import { findRegistry } from '../../policy/decide-fetch.ts';
import { decideImageOnly } from '../../policy/decide-request.ts';
import { anyRequester } from '../../policy/requester.ts';
import type { ContainerEngine, ImageFacts } from '../../ports/container-engine.ts';
import { JobError } from '../../values/errors.ts';
import type { Check, FoundImage } from '../../contract/finding.ts';
import { fine } from '../../contract/finding.ts';
import { findOwnDigest, formatPinned, parseImageReference } from '../../values/image-reference.ts';
import { oneLine } from '../../values/one-line.ts';
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
      const found = await engine.findImage(reference);
      if (found !== undefined) return { ...fine(`${reference} is here`), image: describeFound(reference, found) };
      const registry = findRegistry(site, wanted, anyRequester);
      if (registry !== undefined)
        return {
          ...fine(`${reference} is not here: jobs fetch it from ${registry.host}`),
          image: { reference, isPresent: false, fetchedFrom: registry.host },
        };
      throw new JobError({
        code: 'IMAGE_NOT_PRESENT',
        message: `Image ${reference} is not on this host.`,
        hint: 'Ask the administrators to load it: jobs do not fetch it (images.pull in site.yaml).',
      });
    },
  };
}

function describeFound(reference: string, { id, repoDigests, bytes, os, architecture }: ImageFacts): FoundImage {
  const named = parseImageReference(reference);
  const digest = findOwnDigest(named, repoDigests);
  return {
    ...{ reference, isPresent: true, id },
    ...(digest === undefined ? {} : { digest: formatPinned(named, digest) }),
    ...(bytes === undefined ? {} : { bytes }),
    platform: oneLine(`${os}/${architecture}`, 80),
  };
}
