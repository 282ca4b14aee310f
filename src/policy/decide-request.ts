import type { SiteConfig } from '../config/site-schema.ts';
import { JobError } from '../values/errors.ts';
import { matchesImagePattern, parseImagePattern } from '../values/image-pattern.ts';
import { formatImageReference, parseImageReference } from '../values/image-reference.ts';
import { findNearestName } from '../values/nearest-name.ts';
import { hostCapacity } from '../values/subnet.ts';

/** The parts of a request on which the site's policy has a say. */
export interface RequestToDecide {
  readonly application?: string | undefined;
  readonly image?: string | undefined;
  readonly workdir: string;
  readonly mounts: readonly string[];
  readonly hostCount: number;
}

export interface DecidedMount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** One thing that was decided and the key of site.yaml that decided it. */
export interface DecidingRule {
  readonly subject: string;
  readonly decision: string;
  readonly rule: string;
}

export interface Decision {
  readonly imageReference: string;
  readonly driver: 'vxlan' | 'bridge';
  readonly mounts: readonly DecidedMount[];
  readonly environment: Readonly<Record<string, string>>;
  readonly hostfile?: string;
  readonly maxRunSeconds: number;
  readonly rules: readonly DecidingRule[];
}

/**
 * What the site's policy makes of a request; throws the `JobError` of the first rule that refuses it.
 * Pure: the middleware uses it to explain, the helper to decide, so both say the same.
 */
export function decideRequest(site: SiteConfig, request: RequestToDecide): Decision {
  const application = decideApplication(site, request);
  const image = decideImage(site, request, application);
  refuseTooManyHosts(site, request.hostCount);
  const driver = decideDriver(site, request.hostCount, application);
  const mounts = decideMounts(site, request, application);
  const workdir = decideWorkdir(request.workdir, mounts);
  return {
    imageReference: image.reference,
    driver: driver.name,
    mounts: mounts.map(({ source, target, readOnly }) => ({ source, target, readOnly })),
    environment: application?.environment ?? {},
    ...(application?.hostfile ? { hostfile: application.hostfile } : {}),
    maxRunSeconds: application?.maxRunSeconds ?? 0,
    rules: [image.rule, driver.rule, ...mounts.map((mount) => mount.rule), workdir],
  };
}

/** The image of a request before anything else is known of it: which one it is. Throws as `decideRequest` does. */
export function decideImageOnly(site: SiteConfig, wanted: WantedOfRequest): string {
  return decideImage(site, wanted, decideApplication(site, wanted)).reference;
}

type WantedOfRequest = Pick<RequestToDecide, 'application' | 'image'>;
type Application = SiteConfig['applications'][string];

function decideApplication(site: SiteConfig, request: WantedOfRequest): Application | undefined {
  const { application: name, image } = request;
  if (name !== undefined && image !== undefined) {
    throw new JobError({
      code: 'REQUEST_INVALID',
      message: 'Both an application and an image were asked for.',
      hint: 'Give one of APPLICATION (--application) and --image.',
    });
  }
  if (name === undefined) return undefined;
  if (Object.hasOwn(site.applications, name)) return site.applications[name];
  const known = Object.keys(site.applications);
  const nearest = findNearestName(name, known);
  throw new JobError({
    code: 'APPLICATION_UNKNOWN',
    message: `Application "${name}" is not in this site's catalogue.`,
    hint:
      nearest === undefined
        ? known.length === 0
          ? 'The catalogue is empty; ask the administrators, or name an image with --image.'
          : `Known: ${known.slice(0, 20).join(', ')}.`
        : `Did you mean "${nearest}"?`,
  });
}

function decideImage(
  site: SiteConfig,
  request: WantedOfRequest,
  application: Application | undefined,
): { reference: string; rule: DecidingRule } {
  if (application !== undefined) {
    return {
      reference: formatImageReference(parseImageReference(application.image)),
      rule: {
        subject: `application ${request.application ?? ''}`,
        decision: `runs image ${application.image}`,
        rule: `applications."${request.application ?? ''}".image`,
      },
    };
  }
  if (request.image === undefined || request.image === '') {
    throw new JobError({
      code: 'IMAGE_MISSING_IN_REQUEST',
      message: 'No image: neither APPLICATION (--application) nor --image is given.',
      hint: "Set APPLICATION=name:tag from the site's catalogue, or name an image with --image.",
    });
  }
  const reference = parseImageReference(request.image);
  const pattern = site.images.allowed.find((candidate) => matchesImagePattern(reference, parseImagePattern(candidate)));
  if (pattern === undefined) {
    throw new JobError({
      code: 'IMAGE_NOT_ALLOWED',
      message: `Image ${request.image} is not allowed at this site.`,
      hint:
        site.images.allowed.length === 0
          ? 'site.yaml images.allowed is empty: only applications of the catalogue may be used.'
          : `Allowed are: ${site.images.allowed.join(', ')} (site.yaml images.allowed).`,
    });
  }
  return {
    // Written out in full: the engine would take a short text of hex digits for an image id and pass the pattern by.
    reference: formatImageReference(reference),
    rule: { subject: `image ${request.image}`, decision: 'allowed', rule: `images.allowed "${pattern}"` },
  };
}

function refuseTooManyHosts(site: SiteConfig, hostCount: number): void {
  const capacity = hostCapacity(site.network.prefixLength);
  if (hostCount <= capacity) return;
  throw new JobError({
    code: 'ALLOCATION_INVALID',
    message: `A job's network has room for ${capacity} hosts at this site; this job has ${hostCount}.`,
    hint: 'Ask for fewer hosts, or ask the administrators to lower network.prefixLength in site.yaml.',
  });
}

function decideDriver(
  site: SiteConfig,
  hostCount: number,
  application: Application | undefined,
): { name: 'vxlan' | 'bridge'; rule: DecidingRule } {
  const subject = `network of ${hostCount} host${hostCount === 1 ? '' : 's'}`;
  if (hostCount === 1)
    return { name: 'bridge', rule: { subject, decision: 'bridge', rule: 'network.driver is for several hosts' } };
  const wanted = application?.network ?? '';
  const name = wanted === '' ? site.network.driver : wanted;
  const rule = wanted === '' ? 'network.driver' : 'applications.*.network';
  return { name, rule: { subject, decision: name, rule } };
}

interface MountWithRule extends DecidedMount {
  readonly rule: DecidingRule;
}

function decideMounts(
  site: SiteConfig,
  request: RequestToDecide,
  application: Application | undefined,
): MountWithRule[] {
  const wanted = new Map<string, string>();
  for (const mount of site.mounts.allowed) if (mount.always) wanted.set(mount.source, 'mounts.allowed (always)');
  for (const source of application?.mounts ?? []) wanted.set(source, 'applications.*.mounts');
  for (const source of request.mounts) wanted.set(source, 'mounts.allowed, asked for');
  return [...wanted].map(([source, rule]) => {
    const allowed = site.mounts.allowed.find((mount) => mount.source === source);
    if (allowed === undefined) {
      throw new JobError({
        code: 'MOUNT_NOT_ALLOWED',
        message: `${source} may not be mounted into a container at this site.`,
        hint: `Allowed are: ${site.mounts.allowed.map((mount) => mount.source).join(', ') || 'none'} (site.yaml mounts.allowed).`,
      });
    }
    const { target, readOnly } = allowed;
    const decision = `mounted at ${target}${readOnly ? ', read-only' : ''}`;
    return { source, target, readOnly, rule: { subject: `mount ${source}`, decision, rule } };
  });
}

/**
 * The workdir needs no mount of its own: it must lie below one that the site allows, and is entered inside the
 * container by the user. So root never follows a path that a user can change.
 */
function decideWorkdir(workdir: string, mounts: readonly MountWithRule[]): DecidingRule {
  const mount = mounts.find(
    ({ target }) => workdir === target || workdir.startsWith(target.endsWith('/') ? target : `${target}/`),
  );
  if (mount === undefined) {
    throw new JobError({
      code: 'WORKDIR_UNUSABLE',
      message: `The working directory ${workdir} is not in a directory that containers see.`,
      hint: `Put it below ${mounts.map(({ target }) => target).join(' or ') || 'a mount that site.yaml allows'}, or ask for its mount with --mount.`,
    });
  }
  return {
    subject: `workdir ${workdir}`,
    decision: 'visible in the container',
    rule: `mounts.allowed "${mount.source}"`,
  };
}
