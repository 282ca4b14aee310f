import type { SiteConfig } from '../config/site-schema.ts';
import { hostNetwork } from '../network/known-networks.ts';
import type { NetworkName } from '../network/known-networks.ts';
import { JobError } from '../values/errors.ts';
import { mostHosts } from '../contract/request-budget.ts';
import { hostCapacity } from '../values/subnet.ts';
import { decideDevices, devicesAskForQueue } from './decide-devices.ts';
import { decideApplication, decideImage, listAsked } from './decide-image.ts';
import type { Application, WantedImage } from './decide-image.ts';
import { decideMounts, decideWorkdir, mountsAskForQueue } from './decide-mounts.ts';
import type { DecidedMount } from './decide-mounts.ts';
import { refuseLargeShm } from './decide-shm.ts';
import type { DecidingRule, RequestToDecide } from './request-to-decide.ts';
import { requireStore } from './require-store.ts';
import { anyRequester, asksForQueue, hasConditions, unknownRequester } from './requester.ts';
import type { Requester } from './requester.ts';

export type { RequestToDecide } from './request-to-decide.ts';

export interface Decision {
  readonly imageReference: string;
  readonly driver: NetworkName;
  readonly mounts: readonly DecidedMount[];
  /** Names out of `devices.allowed`. */
  readonly devices: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly hostfile?: string;
  readonly maxRunSeconds: number;
  readonly rules: readonly DecidingRule[];
}

/**
 * What the site's policy makes of a request; throws the `JobError` of the first rule that refuses it.
 * Pure: `explain`, `open-job` and every host of a job judge by it, so all of them say the same.
 */
export function decideRequest(site: SiteConfig, request: RequestToDecide, requester = unknownRequester): Decision {
  refuseTooManyHosts(site, request.hostCount);
  refuseLargeShm(site, request.shmBytes);
  const application = decideApplication(site, request, requester);
  const image = decideImage(site, request, application, requester);
  const driver = decideDriver(site, request, application);
  const mounts = decideMounts(site, request, application, requester);
  const workdir = decideWorkdir(request.workdir, mounts);
  const devices = decideDevices(site, request, application, requester);
  return {
    imageReference: image.reference,
    driver: driver.name,
    mounts: mounts.map(({ source, target, readOnly }) => ({ source, target, readOnly })),
    devices: devices.map((device) => device.name),
    environment: application?.environment ?? {},
    ...(application?.hostfile ? { hostfile: application.hostfile } : {}),
    maxRunSeconds: application?.maxRunSeconds ?? 0,
    rules: [
      image.rule,
      driver.rule,
      ...mounts.map((mount) => mount.rule),
      workdir,
      ...devices.map((device) => device.rule),
    ],
  };
}

/** The image of a request before anything else is known of it: which one it is. Throws as `decideRequest` does. */
export function decideImageOnly(site: SiteConfig, wanted: WantedImage, requester = anyRequester): string {
  return decideImage(site, wanted, decideApplication(site, wanted, requester), requester).reference;
}

/** What `decideRequest` refuses whoever asks, and the image that it is about: before anything is looked up for the request. */
export function decideForAnybody(site: SiteConfig, request: RequestToDecide): string {
  refuseTooManyHosts(site, request.hostCount);
  return decideImageOnly(site, request);
}

/**
 * What becomes of a request whose user and queue are known at once: as `open-job` decides it, in the same order. Throws as
 * `decideRequest` does.
 */
export function judgeRequest(site: SiteConfig, request: RequestToDecide, requester: Requester): Decision {
  decideForAnybody(site, request);
  requireStore(site, request.hostCount);
  return decideRequest(site, request, requester);
}

/**
 * A workdir that the request's containers would see, for a question that names none; the root directory, which none sees,
 * where there is none and where the request is refused for another reason.
 */
export function findVisibleDirectory(
  site: SiteConfig,
  request: Omit<RequestToDecide, 'workdir'>,
  requester: Requester,
): string {
  try {
    const application = decideApplication(site, request, requester);
    return decideMounts(site, request, application, requester)[0]?.target ?? '/';
  } catch {
    return '/';
  }
}

/** True when whether the image may be used rests on who asks, or on the queue. Throws as `decideRequest` does. */
export function asksForRequester(site: SiteConfig, wanted: WantedImage): boolean {
  const application = decideApplication(site, wanted, anyRequester);
  return listAsked(site, wanted, application).some(hasConditions);
}

/** True when the verdict on the request rests on the partition or queue of its job. Throws as `decideRequest` does. */
export function needsQueue(
  site: SiteConfig,
  request: Pick<RequestToDecide, 'application' | 'image' | 'mounts' | 'devices'>,
): boolean {
  const application = decideApplication(site, request, anyRequester);
  return (
    listAsked(site, request, application).some(asksForQueue) ||
    mountsAskForQueue(site, request, application) ||
    devicesAskForQueue(site, request, application)
  );
}

function refuseTooManyHosts(site: SiteConfig, hostCount: number): void {
  if (hostCount > mostHosts)
    throw new JobError({
      code: 'ALLOCATION_INVALID',
      message: `A job may have at most ${mostHosts} hosts; this one has ${hostCount}.`,
      hint: 'Ask for fewer hosts: more have not been shown to find each other.',
    });
  const capacity = hostCapacity(site.network.prefixLength);
  if (hostCount <= capacity) return;
  throw new JobError({
    code: 'ALLOCATION_INVALID',
    message: `A job's network has room for ${capacity} hosts at this site; this job has ${hostCount}.`,
    hint: 'Ask for fewer hosts, or ask the administrators to lower network.prefixLength in site.yaml.',
    rule: 'network.prefixLength',
  });
}

function decideDriver(
  site: SiteConfig,
  { hostCount, application: asked }: RequestToDecide,
  application: Application | undefined,
): { name: NetworkName; rule: DecidingRule } {
  const subject = `network of ${hostCount} host${hostCount === 1 ? '' : 's'}`;
  if (hostCount === 1)
    return { name: hostNetwork, rule: { subject, decision: hostNetwork, rule: 'network.driver is for several hosts' } };
  const wanted = application?.network ?? '';
  const name = wanted === '' ? site.network.driver : wanted;
  const rule = wanted === '' ? 'network.driver' : `applications."${asked ?? ''}".network`;
  return { name, rule: { subject, decision: name, rule } };
}
