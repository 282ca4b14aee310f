import { findNearestName } from '../values/nearest-name.ts';
import { asJobError } from '../values/errors.ts';
import { parseImagePattern } from '../values/image-pattern.ts';
import { isRegistry, parseImageReference } from '../values/image-reference.ts';
import { findNetworkProblems } from '../network/known-networks.ts';
import { overlapsCidr, parseCidr } from '../values/subnet.ts';
import { indexedPath, isIndexed } from './indexed-devices.ts';
import { isForbiddenName } from './forbidden-devices.ts';
import { findForbidden, isBelow, throughRun } from './forbidden-sources.ts';
import type { SoundPart } from './find-sound-part.ts';
import type { SitePath } from './read-site-yaml.ts';
import type { SiteConfig } from './site-schema.ts';

/** A broken rule: the key to correct, and what is wrong. */
export interface RuleProblem {
  readonly path: SitePath;
  readonly message: string;
  /** What else it looked at; `*` stands for every item of a list. */
  readonly uses?: readonly SitePath[];
}

/** Addresses that are never free for job networks, whatever the site says. */
const unusablePools = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'];

/** What `control-job` and `release-job` may wait for hosts: less than `command_timeout` in share/sudoers, by two minutes. */
const mostShortCallSeconds = 13 * 60;

/** Of the container's own system or ours: a mount there, or above, would hide it. */
const reservedTargets = ['/proc', '/sys', '/dev', '/.hpcdj', '/etc'];

/**
 * Every broken rule across keys, by its path in the file. Left out are those that rest on a `faulty` key: something else
 * stands in its place.
 */
export function findRuleProblems({ config, toFilePath }: SoundPart, faulty: readonly SitePath[] = []): RuleProblem[] {
  return rules
    .flatMap((check) => [...check(config)])
    .map(({ path, message, uses = [] }) => ({ path: toFilePath(path), message, uses: uses.map(toFilePath) }))
    .filter(({ path, uses }) => ![path, ...uses].some((used) => faulty.some((fault) => isSameBranch(used, fault))));
}

const rules: readonly ((config: SiteConfig) => Iterable<RuleProblem>)[] = [
  checkEndpoints,
  checkLease,
  checkImagePatterns,
  checkRegistries,
  checkApplicationImages,
  checkApplicationMounts,
  checkApplicationDevices,
  checkDevices,
  checkPool,
  checkNetworks,
  checkWantedImages,
  checkTargets,
  checkSources,
  checkDeadlines,
  checkStart,
  checkAudit,
];

function* checkEndpoints({ etcd }: SiteConfig): Iterable<RuleProblem> {
  for (const [index, endpoint] of etcd.endpoints.entries()) {
    const path = ['etcd', 'endpoints', index];
    if (!endpoint.startsWith('https://'))
      yield { path, message: `must begin with https://: the store is only used over mutual TLS, got "${endpoint}"` };
    else if (!URL.canParse(endpoint))
      yield { path, message: `is not an address with a port from 1 to 65535, got "${endpoint}"` };
    if (etcd.endpoints.indexOf(endpoint) !== index) yield { path, message: `stands twice: "${endpoint}"` };
  }
}

function* checkLease({ etcd }: SiteConfig): Iterable<RuleProblem> {
  // A lease must outlive a failed call and two more tries: else one slow answer of the store ends jobs.
  const least = (3 * etcd.callTimeoutMs) / 1000;
  if (etcd.leaseTtlSeconds > least) return;
  yield {
    path: ['etcd', 'leaseTtlSeconds'],
    uses: [['etcd', 'callTimeoutMs']],
    message: `must be more than three times etcd.callTimeoutMs (more than ${least} s), got ${etcd.leaseTtlSeconds}`,
  };
}

function* checkImagePatterns({ images }: SiteConfig): Iterable<RuleProblem> {
  for (const [index, { image }] of images.allowed.entries()) {
    const message = failureOf(() => parseImagePattern(image));
    if (message !== undefined) yield { path: ['images', 'allowed', index], message };
  }
}

function* checkRegistries({ images: { pull, registries } }: SiteConfig): Iterable<RuleProblem> {
  if (pull !== 'never' && registries.length === 0)
    yield {
      path: ['images', 'pull'],
      uses: [['images', 'registries']],
      message: `"${pull}" needs images.registries: images are fetched only from registries that are named there`,
    };
  for (const [index, { host, caFile }] of registries.entries()) {
    const path = ['images', 'registries', index, 'host'];
    // Without a dot or a port it would be the beginning of a path on docker.io.
    if (!isRegistry(host) || !(host === 'localhost' || /[.:]/.test(host)))
      yield { path, message: `expected a registry as in images' names, like registry.example:5000, got "${host}"` };
    else if (host === 'index.docker.io') yield { path, message: 'must be written docker.io' };
    if (registries.findIndex((other) => other.host === host) !== index)
      yield { path, message: `"${host}" stands twice` };
    if (host === 'docker.io' && caFile !== '')
      yield { path: ['images', 'registries', index, 'caFile'], message: 'must be empty for docker.io' };
  }
}

function* checkApplicationImages({ applications }: SiteConfig): Iterable<RuleProblem> {
  for (const [name, { image }] of Object.entries(applications)) {
    const message = failureOf(() => parseImageReference(image));
    if (message !== undefined) yield { path: ['applications', name, 'image'], message };
  }
}

function* checkApplicationMounts({ applications, mounts }: SiteConfig): Iterable<RuleProblem> {
  const sources = mounts.allowed.map(({ source }) => source);
  yield* checkListed(applications, 'mounts', sources, 'source');
}

function* checkApplicationDevices({ applications, devices }: SiteConfig): Iterable<RuleProblem> {
  const names = devices.allowed.map(({ name }) => name);
  yield* checkListed(applications, 'devices', names, 'name');
}

/** Applications take out of a list of the site's what is in it. */
function* checkListed(
  applications: SiteConfig['applications'],
  list: 'mounts' | 'devices',
  allowed: readonly string[],
  key: string,
): Iterable<RuleProblem> {
  for (const [name, application] of Object.entries(applications)) {
    for (const [index, wanted] of application[list].entries()) {
      if (allowed.includes(wanted)) continue;
      const nearest = findNearestName(wanted, allowed);
      const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
      yield {
        path: ['applications', name, list, index],
        uses: [[list, 'allowed', '*', key]],
        message: `"${wanted}" is not a ${key} in ${list}.allowed${hint}`,
      };
    }
  }
}

function* checkDevices({ devices }: SiteConfig): Iterable<RuleProblem> {
  for (const [index, { name, nodes, gres }] of devices.allowed.entries()) {
    const path = ['devices', 'allowed', index];
    if (devices.allowed.findIndex((other) => other.name === name) !== index)
      yield { path: [...path, 'name'], message: `"${name}" stands twice` };
    for (const [position, node] of nodes.entries()) {
      const place = [...path, 'nodes', position];
      if (isForbiddenName(indexedPath(node, 0)))
        yield { path: place, message: `"${node}" belongs to the host's system` };
      if (gres === '' && isIndexed(node))
        yield { path: place, uses: [[...path, 'gres']], message: `"${node}" has an {index}, which needs gres` };
    }
  }
}

/** Aliases and queues of LSF name what there is, and one thing each. */
function* checkWantedImages({ lsf, applications }: SiteConfig): Iterable<RuleProblem> {
  for (const table of ['aliases', 'queues'] as const) {
    for (const [name, { image, application }] of Object.entries(lsf[table])) {
      const path = ['lsf', table, name];
      if ((image === '') === (application === '')) {
        yield { path, message: 'needs exactly one of image and application' };
      } else if (application !== '' && !Object.hasOwn(applications, application)) {
        const nearest = findNearestName(application, Object.keys(applications));
        const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
        yield {
          path: [...path, 'application'],
          uses: [['applications', application]],
          message: `"${application}" is not in applications${hint}`,
        };
      } else if (image !== '') {
        const message = failureOf(() => parseImageReference(image));
        if (message !== undefined) yield { path: [...path, 'image'], message };
      }
    }
  }
}

function* checkPool({ network: { pool, prefixLength } }: SiteConfig): Iterable<RuleProblem> {
  const path = ['network', 'pool'];
  const cidr = parseCidr(pool);
  if (cidr === undefined) {
    yield { path, message: `expected a CIDR like 10.128.0.0/12 whose host bits are zero, got "${pool}"` };
    return;
  }
  const unusable = unusablePools.find((other) => overlapsCidr(pool, other));
  if (unusable !== undefined) yield { path, message: `overlaps ${unusable}, which is never free, got "${pool}"` };
  if (prefixLength >= cidr.prefixLength) return;
  yield {
    path: ['network', 'prefixLength'],
    uses: [path],
    message: `the pool ${pool} is smaller than one subnet of length ${prefixLength}`,
  };
}

function* checkNetworks({ network }: SiteConfig): Iterable<RuleProblem> {
  if (parseCidr(network.pool) === undefined) return;
  for (const { path, message, uses } of findNetworkProblems(network))
    yield { path: ['network', ...path], message, uses: uses.map((used) => ['network', ...used]) };
}

function* checkTargets({ mounts }: SiteConfig): Iterable<RuleProblem> {
  for (const [index, { target }] of mounts.allowed.entries()) {
    const path = ['mounts', 'allowed', index, 'target'];
    const reserved = reservedTargets.find((other) => isNested(target, other));
    if (reserved !== undefined)
      yield { path, message: `"${target}" overlaps ${reserved}, which belongs to the container's system` };
    // One inside the other: its mount point would be made, by root, in a directory that users write to.
    for (const [position, other] of mounts.allowed.slice(0, index).entries()) {
      if (!isNested(target, other.target)) continue;
      yield {
        path,
        uses: [['mounts', 'allowed', position, 'target']],
        message: `"${target}" overlaps the target "${other.target}" of another mount`,
      };
    }
  }
}

function* checkSources({ mounts, docker, etcd, images }: SiteConfig): Iterable<RuleProblem> {
  const secrets = [
    { key: ['docker', 'socket'], file: throughRun(docker.socket) },
    { key: ['etcd', 'keyFile'], file: throughRun(etcd.keyFile) },
    ...images.registries.flatMap(({ credentialsFile }, index) =>
      credentialsFile === ''
        ? []
        : [{ key: ['images', 'registries', index, 'credentialsFile'], file: throughRun(credentialsFile) }],
    ),
  ];
  for (const [index, mount] of mounts.allowed.entries()) {
    const path = ['mounts', 'allowed', index, 'source'];
    const source = throughRun(mount.source);
    const secret = secrets.find(({ file }) => isBelow(file, source));
    if (secret !== undefined)
      yield { path, uses: [secret.key], message: `"${mount.source}" would bring ${secret.file} into containers` };
    const reserved = findForbidden(mount.source);
    if (reserved !== undefined && secret === undefined)
      yield {
        path,
        message: isBelow(source, reserved)
          ? `"${mount.source}" lies in ${reserved}, which belongs to the host's system`
          : `"${mount.source}" would bring ${reserved} into containers, which belongs to the host's system`,
      };
    const earlier = mounts.allowed.findIndex((other) => other.source === mount.source);
    if (earlier !== index) yield { path, message: `"${mount.source}" stands twice` };
  }
}

function* checkDeadlines({ deadlines }: SiteConfig): Iterable<RuleProblem> {
  const { stopSeconds, releaseSeconds } = deadlines;
  const place = { path: ['deadlines', 'releaseSeconds'], uses: [['deadlines', 'stopSeconds']] };
  if (releaseSeconds <= stopSeconds)
    yield {
      ...place,
      message: `must be more than deadlines.stopSeconds (${stopSeconds}): a clean-up stops containers first`,
    };
  if (stopSeconds + releaseSeconds > mostShortCallSeconds)
    yield {
      ...place,
      message: `and deadlines.stopSeconds must be at most ${mostShortCallSeconds} together: sudo ends a call that waits for both after 15 minutes`,
    };
}

/** A container can only be below a cgroup in which its start was asked for. */
function* checkStart({ lsf, scheduler }: SiteConfig): Iterable<RuleProblem> {
  if (lsf.start !== 'prologue' || !scheduler.requireJobCgroup) return;
  yield {
    path: ['lsf', 'start'],
    uses: [['scheduler', 'requireJobCgroup']],
    message:
      '"prologue" needs scheduler.requireJobCgroup: false, since LSF runs pre-execution commands outside of the cgroup of the job',
  };
}

function isNested(a: string, b: string): boolean {
  return isBelow(a, b) || isBelow(b, a);
}

function isSameBranch(a: SitePath, b: SitePath): boolean {
  const depth = Math.min(a.length, b.length);
  return a.slice(0, depth).every((step, position) => step === '*' || step === b[position]);
}

function failureOf(parse: () => unknown): string | undefined {
  try {
    parse();
    return undefined;
  } catch (thrown) {
    return asJobError(thrown).message;
  }
}

function* checkAudit({ audit }: SiteConfig): Iterable<RuleProblem> {
  if (audit.required && audit.file === '')
    yield {
      path: ['audit', 'required'],
      message: 'needs audit.file: nobody says whether a record has reached syslog',
      uses: [['audit', 'file']],
    };
}
