import { networkKinds } from '../../network/known-networks.ts';
import type { JobPlan, PlannedNode } from '../../contract/job-plan.ts';
import { refuseForbiddenSources } from '../../config/refuse-linked-sources.ts';
import { findRegistry } from '../../policy/decide-fetch.ts';
import type { Registry } from '../../policy/decide-fetch.ts';
import { judgePlan, planNeedsQueue, requestOf } from '../../policy/judge-plan.ts';
import type { ImageFacts } from '../../ports/container-engine.ts';
import { allOrNone } from '../../system/all-or-none.ts';
import { checkUntamperable } from '../../system/check-untamperable.ts';
import { readUser } from '../../system/read-user.ts';
import { JobError } from '../../values/errors.ts';
import {
  formatImageReference,
  formatPinned,
  isOfRepository,
  parseImageReference,
} from '../../values/image-reference.ts';
import { holdsSubnet } from '../job/claim-subnet.ts';
import type { JobStore } from '../job/job-store.ts';
import type { HelperContext } from '../open-context.ts';
import { findPlannedDevices } from './find-planned-devices.ts';
import { confirmPlanned } from './confirm-planned.ts';

/** What this host carries out of a plan, and the image that it does it with. */
export interface JudgedNode {
  readonly plan: JobPlan;
  readonly image: ImageFacts | ImageToFetch;
  /** Paths of the device nodes that the container gets. */
  readonly devices: readonly string[];
}

/** An image that this host lacks, and may fetch. */
export interface ImageToFetch {
  readonly digest: string;
  readonly registry: Registry;
}

/**
 * The plan as this host allows it: by its own site.yaml, user database, images and scheduler, since whoever has one
 * host's certificate can write a plan. Changes nothing here. Fails as `judgePlan` does, with `IMAGE_NOT_PRESENT`, and with
 * `JOB_NOT_YOURS` for a network that the store does not give to this run of the job.
 */
export async function judgeHere(
  context: HelperContext,
  jobStore: JobStore,
  plan: JobPlan,
  { host }: PlannedNode,
): Promise<JudgedNode> {
  const [user, queue, image] = await allOrNone([
    readUser(plan.user.uid),
    planNeedsQueue(context.site, plan) ? askQueue(context, plan) : undefined,
    findPlannedImage(context, plan, host),
    requireOwnSubnet(jobStore, plan),
  ]);
  const judged = judgePlan(context.site, plan, { host, user, queue });
  // What the source leads to is root's choice alone, and nothing that no site may allow.
  for (const { source } of judged.mounts)
    await checkUntamperable(source, { expected: 'directory', endMayBeShared: true, code: 'HOST_UNFIT' });
  refuseForbiddenSources(context.site, judged.mounts);
  const devices = await findPlannedDevices(context.site, context.authorities.of(plan.scheduler), judged, host);
  const registry = findRegistry(context.site, requestOf(plan), { user, queue });
  return { plan: judged, image: await chooseImage(context, judged, { registry, named: image, host }), devices };
}

async function askQueue({ authorities }: HelperContext, plan: JobPlan): Promise<string | undefined> {
  const { queue } = await confirmPlanned(authorities.of(plan.scheduler), plan);
  return queue;
}

/** What the reference names on this host, by the engine's own look-up; undefined when it names nothing. */
async function findPlannedImage(
  { engine }: HelperContext,
  { image }: JobPlan,
  host: string,
): Promise<ImageFacts | undefined> {
  // As open-job writes it: the engine would read other texts as ids, or as places below its own address.
  const reference = formatImageReference(parseImageReference(image.reference));
  if (reference === image.reference) return await engine.findImage(reference);
  throw notAllowed(host, 'names its image in a form that open-job does not write');
}

interface Found {
  /** Where it may come from; undefined when it must be here. */
  readonly registry: Registry | undefined;
  /** What the reference of the plan names here: another image, perhaps. */
  readonly named: ImageFacts | undefined;
  readonly host: string;
}

/** The very image of the plan: by its id, by its digest, or to be fetched by that. Fails with `IMAGE_NOT_PRESENT`. */
export async function chooseImage(
  { engine }: Pick<HelperContext, 'engine'>,
  { image }: JobPlan,
  { registry, named, host }: Found,
): Promise<ImageFacts | ImageToFetch> {
  const { digest, id } = image;
  const reference = parseImageReference(image.reference);
  if (reference.digest !== undefined && digest !== undefined && reference.digest !== digest)
    throw notAllowed(host, 'has another digest than its image');
  if (named !== undefined && named.id === id && isOfRepository(reference, named)) return named;
  if (registry === undefined || digest === undefined) throw notTheSame(named, image, host);
  const pinned = await engine.findImage(formatPinned(reference, digest));
  const isHere = pinned !== undefined && isOfRepository({ ...reference, digest }, pinned);
  return isHere ? pinned : { digest, registry };
}

function notTheSame(
  named: ImageFacts | undefined,
  { reference, id, digest }: JobPlan['image'],
  host: string,
): JobError {
  const planned = id ?? digest ?? '';
  return new JobError({
    code: 'IMAGE_NOT_PRESENT',
    message:
      named === undefined
        ? `image ${reference} is not present on host ${host}.`
        : `image ${reference} on host ${host} is another one (${named.id.slice(0, 19)}) than on the first host (${planned.slice(0, 19)}).`,
    hint: 'Ask the administrators to bring the same image to every host (docker pull, or docker save and load).',
  });
}

function notAllowed(host: string, what: string): JobError {
  return new JobError({ code: 'IMAGE_NOT_ALLOWED', message: `The plan on host ${host} ${what}.` });
}

/** A network that meets no other needs no claim. */
async function requireOwnSubnet({ store, prefix }: JobStore, plan: JobPlan): Promise<void> {
  const { job, token, network } = plan;
  if (networkKinds[network.driver].addressesFrom === 'job') return;
  if (await holdsSubnet(store, { prefix, job, token, cidr: network.cidr })) return;
  throw new JobError({
    code: 'JOB_NOT_YOURS',
    message: `The network ${network.cidr} in the plan of job ${job} is not claimed by this run of the job.`,
    hint: 'Submit the job again. (Administrators: /.site/subnets in etcd.)',
  });
}
