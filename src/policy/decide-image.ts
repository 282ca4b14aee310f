import type { SiteConfig } from '../config/site-schema.ts';
import { JobError } from '../values/errors.ts';
import { matchesImagePattern, parseImagePattern } from '../values/image-pattern.ts';
import { formatImageReference, parseImageReference } from '../values/image-reference.ts';
import type { ImageReference } from '../values/image-reference.ts';
import { quoteWord, showWord } from '../values/one-line.ts';
import { findNearestName } from '../values/nearest-name.ts';
import type { DecidingRule, RequestToDecide } from './request-to-decide.ts';
import { describeAdmission, findBar } from './requester.ts';
import type { Admission, Requester } from './requester.ts';

export type WantedImage = Pick<RequestToDecide, 'application' | 'image'>;
export type Application = SiteConfig['applications'][string];
type AllowedImage = SiteConfig['images']['allowed'][number];

/** The entry of the catalogue that is asked for; fails with `APPLICATION_UNKNOWN`, `APPLICATION_NOT_ALLOWED`. */
export function decideApplication(
  site: SiteConfig,
  wanted: WantedImage,
  requester: Requester,
): Application | undefined {
  const { application: name, image } = wanted;
  if (name !== undefined && image !== undefined) {
    throw new JobError({
      code: 'REQUEST_INVALID',
      message: 'Both an application and an image were asked for.',
      hint: 'Give one of APPLICATION (--application) and HPCDJ_IMAGE (--image).',
    });
  }
  if (name === undefined) return undefined;
  const application = Object.hasOwn(site.applications, name) ? site.applications[name] : undefined;
  if (application === undefined) throw unknownApplication(site, name);
  const bar = findBar(application, requester);
  if (bar === undefined) return application;
  throw new JobError({
    code: 'APPLICATION_NOT_ALLOWED',
    message: `Application "${name}" may not be used by this job: ${bar.words}.`,
    hint: `See site.yaml applications."${name}".`,
    rule: `applications."${name}".${bar.list}`,
  });
}

function unknownApplication(site: SiteConfig, name: string): JobError {
  const known = Object.keys(site.applications);
  const nearest = findNearestName(name, known);
  return new JobError({
    code: 'APPLICATION_UNKNOWN',
    message: `Application ${quoteWord(name)} is not in this site's catalogue.`,
    hint: looksLikeImage(name)
      ? `That looks like an image: name it with --image ${name} in place of APPLICATION (--application).`
      : nearest === undefined
        ? known.length === 0
          ? 'The catalogue is empty; ask the administrators, or name an image with --image.'
          : `Known: ${known.slice(0, 20).join(', ')}.`
        : `Did you mean "${nearest}"?`,
    rule: 'applications',
  });
}

/** The catalogue's names have no directory, registry or digest; those of images most often have. */
function looksLikeImage(name: string): boolean {
  if (!/[/@]/.test(name)) return false;
  try {
    parseImageReference(name);
    return true;
  } catch {
    return false;
  }
}

/** The image of the request and the rule that allows it; fails with `IMAGE_NOT_ALLOWED` and its kin. */
export function decideImage(
  site: SiteConfig,
  wanted: WantedImage,
  application: Application | undefined,
  requester: Requester,
): { readonly reference: string; readonly rule: DecidingRule } {
  if (application !== undefined) {
    const name = wanted.application ?? '';
    return {
      reference: formatImageReference(parseImageReference(application.image)),
      rule: {
        subject: `application ${name}`,
        decision: `runs image ${application.image}`,
        rule: `applications."${name}".image`,
      },
    };
  }
  const { image } = wanted;
  if (image === undefined || image === '') throw noImage();
  const reference = parseImageReference(image);
  const [allowed] = listAllowing(site, reference, requester);
  if (allowed === undefined) throw imageNotAllowed(site, image, listMatching(site, reference), requester);
  return {
    // Written out in full: the engine would take a short text of hex digits for an image id and pass the pattern by.
    reference: formatImageReference(reference),
    rule: { subject: `image ${image}`, decision: 'allowed', rule: `images.allowed "${allowed.image}"` },
  };
}

/** The entries of site.yaml on whose conditions the answer rests. */
export function listAsked(
  site: SiteConfig,
  wanted: WantedImage,
  application: Application | undefined,
): readonly Admission[] {
  return application === undefined ? listMatching(site, parseImageReference(wanted.image ?? '')) : [application];
}

/** The entries of `images.allowed` by which this requester may use the image. */
export function listAllowing(
  site: SiteConfig,
  reference: ImageReference,
  requester: Requester,
): readonly AllowedImage[] {
  return listMatching(site, reference).filter((entry) => findBar(entry, requester) === undefined);
}

function listMatching(site: SiteConfig, reference: ImageReference): readonly AllowedImage[] {
  return site.images.allowed.filter(({ image }) => matchesImagePattern(reference, parseImagePattern(image)));
}

function noImage(): JobError {
  return new JobError({
    code: 'IMAGE_MISSING_IN_REQUEST',
    message: 'No image: neither APPLICATION (--application) nor HPCDJ_IMAGE (--image) is given.',
    hint: "Set APPLICATION=name:tag from the site's catalogue, or name an image with --image or HPCDJ_IMAGE.",
  });
}

function imageNotAllowed(
  site: SiteConfig,
  image: string,
  [first]: readonly AllowedImage[],
  requester: Requester,
): JobError {
  const bar = first === undefined ? undefined : findBar(first, requester);
  const { allowed } = site.images;
  return new JobError({
    code: 'IMAGE_NOT_ALLOWED',
    message:
      bar === undefined
        ? `Image ${showWord(image)} is not allowed at this site.`
        : `Image ${showWord(image)} may not be used by this job: ${bar.words}.`,
    hint:
      allowed.length === 0
        ? 'site.yaml images.allowed is empty: only applications of the catalogue may be used.'
        : `Allowed are: ${allowed.map((entry) => `${entry.image}${describeAdmission(entry)}`).join(', ')} (site.yaml images.allowed).`,
    rule: first === undefined || bar === undefined ? 'images.allowed' : `images.allowed "${first.image}".${bar.list}`,
  });
}
