import type { Decision } from '../../policy/decide-request.ts';
import { findRegistry } from '../../policy/decide-fetch.ts';
import type { Registry } from '../../policy/decide-fetch.ts';
import { isRunnable } from '../../policy/runs-here.ts';
import type { RequestToDecide } from '../../policy/request-to-decide.ts';
import type { Requester } from '../../policy/requester.ts';
import type { ImageFacts, RemoteImage } from '../../ports/container-engine.ts';
import { asClause, asJobError, JobError } from '../../values/errors.ts';
import {
  findOwnDigest,
  formatPinned,
  isDockerHub,
  isOfRepository,
  parseImageReference,
} from '../../values/image-reference.ts';
import type { ImageReference } from '../../values/image-reference.ts';
import { askRegistry } from '../host/ask-registry.ts';
import { provideAuthority, readCredentials } from '../host/registry-access.ts';
import type { HelperContext } from '../open-context.ts';

/** The one image that all hosts of a job run. */
export interface ResolvedImage {
  /** Undefined when this host has yet to fetch it. */
  readonly facts: ImageFacts | undefined;
  /** Undefined for an image that came from no registry. */
  readonly digest: string | undefined;
  /** Something that the user should know, though nothing is wrong. */
  readonly note?: string;
}

export interface ImageToResolve {
  readonly request: RequestToDecide;
  readonly requester: Requester;
  readonly decision: Decision;
  /** What the reference means on this host. */
  readonly local: ImageFacts | undefined;
  /** This host. */
  readonly host: string;
  /** Its abort ends the question with its reason. */
  readonly cancelled: AbortSignal;
  /** Awaited before a registry is asked. */
  readonly beforeAsking: () => Promise<void>;
}

/** The registry is asked so often; the hosts of the job wait meanwhile. */
const mostTries = 4;

/**
 * Which image the job's hosts run, decided once: what this host has under that name, or what the registry says. To be called
 * when the policy has allowed the image to this requester. Fails with `IMAGE_NOT_PRESENT`, and as `findRemoteImage` does.
 */
export async function resolveImage(context: HelperContext, asked: ImageToResolve): Promise<ResolvedImage> {
  const { decision, request, requester } = asked;
  const reference = parseImageReference(decision.imageReference);
  const local = isOfRepository(reference, asked.local) ? asked.local : undefined;
  const registry = findRegistry(context.site, request, requester);
  const here = { facts: local, digest: local && findOwnDigest(reference, local.repoDigests) };
  if (registry === undefined) {
    if (local === undefined) throw notPresent(context, reference, asked);
    return here;
  }
  if (reference.digest !== undefined) return { facts: local, digest: reference.digest };
  if (local !== undefined && context.site.images.pull === 'missing') return here;
  await asked.beforeAsking();
  try {
    const remote = await askForImage(context, reference, registry, asked.cancelled);
    const facts = await findPinned(context, reference, remote.digest);
    if (facts === undefined) requireRunnable(reference, remote);
    return { facts, digest: remote.digest };
  } catch (thrown) {
    if (asked.cancelled.aborted) throw thrown;
    const error = asJobError(thrown);
    if (local === undefined || error.code !== 'IMAGE_NOT_FETCHED')
      throw new JobError({
        code: error.code,
        message: `Image ${decision.imageReference} could not be looked up from host ${asked.host}: ${asClause(error)}.`,
        hint: error.hint,
        cause: error,
      });
    return {
      ...here,
      note: `whether ${decision.imageReference} is newer elsewhere is not known: ${asClause(error)}; the image that is here is used`,
    };
  }
}

async function askForImage(
  { site, engine }: HelperContext,
  reference: ImageReference,
  registry: Registry,
  signal: AbortSignal,
): Promise<RemoteImage> {
  const credentials = await readCredentials(registry);
  await provideAuthority(registry);
  // The other hosts give up some time after this.
  const deadlineMs = Math.min(site.deadlines.openSeconds * 500, site.images.fetchSeconds * 1000);
  const describeLate = (): string => `${registry.host} did not answer within ${deadlineMs / 1000} s`;
  const call = { deadlineMs, signal, mostTries, describeLate };
  return await askRegistry(
    call,
    async (whileWanted) => await engine.findRemoteImage({ reference, credentials, signal: whileWanted }),
  );
}

/** The image of this digest, if the engine has it under the very repository. */
async function findPinned(
  { engine }: HelperContext,
  reference: ImageReference,
  digest: string,
): Promise<ImageFacts | undefined> {
  const found = await engine.findImage(formatPinned(reference, digest));
  return isOfRepository({ ...reference, digest }, found) ? found : undefined;
}

/** Before all hosts fetch in vain. */
function requireRunnable(reference: ImageReference, { platforms }: RemoteImage): void {
  if (platforms.length === 0 || platforms.some(isRunnable)) return;
  const made = [...new Set(platforms.map(({ os, architecture }) => `${os}/${architecture}`))].slice(0, 8).join(', ');
  throw new JobError({
    code: 'IMAGE_UNUSABLE',
    message: `what ${reference.registry} has of it is made for ${made}, not for this host`,
    hint: 'Ask the maker of the image for one that is.',
  });
}

function notPresent({ site }: HelperContext, reference: ImageReference, { decision, host }: ImageToResolve): JobError {
  const name = decision.imageReference;
  const isPulling = site.images.pull !== 'never';
  const isHub = isDockerHub(reference) && site.images.registries.some((registry) => registry.host === 'docker.io');
  const why = !isPulling
    ? ''
    : isHub
      ? ', and is not fetched: no entry of site.yaml that allows it spells docker.io/ out'
      : `, and is not fetched: ${reference.registry} is not among the site's registries`;
  return new JobError({
    code: 'IMAGE_NOT_PRESENT',
    message: `Image ${name} is not present on host ${host}${why}.`,
    hint: isPulling
      ? 'Name an image with its registry, or ask the administrators (images.registries in site.yaml).'
      : 'Ask the administrators to bring it to every host (docker pull, or docker save and load).',
  });
}
