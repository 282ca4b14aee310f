import type { Registry } from '../../policy/decide-fetch.ts';
import type { FetchProgress, ImageFacts } from '../../ports/container-engine.ts';
import { asClause, asJobError, JobError } from '../../values/errors.ts';
import { formatBytes } from '../../values/format-bytes.ts';
import { formatPinned, isOfRepository, parseImageReference } from '../../values/image-reference.ts';
import type { ImageReference } from '../../values/image-reference.ts';
import { askRegistry } from '../host/ask-registry.ts';
import { provideAuthority, readCredentials } from '../host/registry-access.ts';
import type { HelperContext } from '../open-context.ts';
import type { OwnNode } from './own-node.ts';
import { reached, report } from './own-node.ts';
import { watchRoom } from './watch-room.ts';

/** The engine itself tries a layer six times in a minute. */
const mostTries = 6;

/** All hosts of a job together write to the store some hundred times a second at most. */
const reportEveryMs = 2000;
const reportPerNodeMs = 10;

/**
 * Fetches the image of the plan onto this host, by its digest alone. To be called when this host's own policy has allowed it.
 * Returns undefined when the job is over meanwhile; the engine has nothing half then. Fails with the reason of a host that is
 * told to end, and with what kept the image away.
 */
export async function fetchPlannedImage(
  context: FetchContext,
  own: OwnNode,
  registry: Registry,
  digest: string,
): Promise<ImageFacts | undefined> {
  const reference = parseImageReference(own.plan.image.reference);
  const asked = { reference: { ...reference, digest }, pinned: formatPinned(reference, digest), registry };
  const over = new AbortController();
  own.followed
    .until(() => undefined)
    .then(
      () => over.abort(new JobOver()),
      (error: unknown) => over.abort(error),
    );
  try {
    return await fetchAndVerify(context, own, asked, over.signal);
  } catch (thrown) {
    if (thrown instanceof JobOver) return undefined;
    if (over.signal.aborted) throw thrown;
    const error = asJobError(thrown);
    throw new JobError({
      code: error.code,
      message: `image ${asked.pinned} could not be fetched: ${asClause(error)}.`,
      hint: error.hint,
      rule: error.rule,
      cause: error,
    });
  }
}

type FetchContext = Pick<HelperContext, 'engine' | 'site' | 'audit'>;

interface AskedImage {
  readonly reference: ImageReference & { readonly digest: string };
  readonly pinned: string;
  readonly registry: Registry;
}

async function fetchAndVerify(
  { engine, site, audit }: FetchContext,
  own: OwnNode,
  { reference, pinned, registry }: AskedImage,
  signal: AbortSignal,
): Promise<ImageFacts> {
  const { fetchSeconds, fetchBytes } = site.images;
  const startedAt = performance.now();
  let progress: FetchProgress = { bytes: 0, total: 0 };
  const credentials = await readCredentials(registry);
  await provideAuthority(registry);
  await report(own, { PHASE: 'fetching', FETCHED: describe(progress) });
  const describeLate = (): string =>
    `it was not here after ${fetchSeconds} s (${formatBytes(progress.bytes)} of ${formatBytes(progress.total)})`;
  {
    const { rootDirectory } = await engine.ping();
    // Below the reserve itself running jobs would be ended for what they have written.
    using room = await watchRoom(rootDirectory, 2 * site.container.writableLayer.reserveBytes);
    const whileThereIsRoom = AbortSignal.any([signal, room.signal]);
    using _reports = reportRegularly(own, () => progress);
    const call = { deadlineMs: fetchSeconds * 1000, signal: whileThereIsRoom, mostTries, describeLate };
    await askRegistry(call, async (whileWanted) => {
      const excess = new AbortController();
      const onProgress = (now: FetchProgress): void => {
        progress = now;
        if (Math.max(now.bytes, now.total) > fetchBytes) excess.abort(tooLarge(registry, fetchBytes));
      };
      const { digest } = reference;
      const either = AbortSignal.any([whileWanted, excess.signal]);
      await engine.fetchImage({ reference, digest, credentials, signal: either, onProgress });
    });
  }
  const found = await engine.findImage(pinned);
  // What the engine has verified, and under the name that the policy has allowed.
  if (found === undefined || !isOfRepository(reference, found))
    throw new JobError({
      code: 'HOST_UNFIT',
      message: 'the Docker Engine says that it is here, and does not have it',
    });
  // Of layers that were here already nothing has come.
  const size = Math.max(progress.total, 1);
  await report(own, { PHASE: 'creating', FETCHED: describe({ bytes: size, total: size }) });
  reached(own, 'fetched');
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  const { job } = own.plan;
  audit.record('image-fetched', { job, node: own.node.index, image: pinned, seconds, bytes: progress.total });
  return found;
}

/** A registry may send without end: the engine would take it until its disk is full. */
function tooLarge({ host }: Registry, mostBytes: number): JobError {
  return new JobError({
    code: 'IMAGE_UNUSABLE',
    message: `${host} sends more of it than ${formatBytes(mostBytes)}`,
    hint: 'Ask for a smaller image, or ask the administrators.',
    rule: 'images.fetchBytes',
  });
}

class JobOver extends Error {}

/** The value of FETCHED: bytes that are here, and of how many. */
function describe({ bytes, total }: FetchProgress): string {
  return `${Math.floor(bytes)}/${Math.floor(total)}`;
}

/** A report that does not come through is no trouble: the next one says more. */
function reportRegularly(own: OwnNode, look: () => FetchProgress): Disposable {
  let told = '';
  const tell = (): void => {
    const now = describe(look());
    if (now === told) return;
    told = now;
    void report(own, { FETCHED: now }).catch(() => undefined);
  };
  const everyMs = Math.max(reportEveryMs, own.plan.nodes.length * reportPerNodeMs);
  const timer = setInterval(tell, everyMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
