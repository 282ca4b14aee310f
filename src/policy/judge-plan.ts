import type { SiteConfig } from '../config/site-schema.ts';
import type { JobPlan } from '../contract/job-plan.ts';
import { plannedNumbers } from '../network/known-networks.ts';
import type { HostUser } from '../values/host-user.ts';
import { asClause, exitStatus, JobError } from '../values/errors.ts';
import { hostAddress, hostCapacity, macOf, parseCidr, subnetIndex } from '../values/subnet.ts';
import { decideRequest, needsQueue } from './decide-request.ts';
import type { Decision } from './decide-request.ts';
import type { RequestToDecide } from './request-to-decide.ts';
import type { Requester } from './requester.ts';

/** What a host knows by itself of a job whose plan another host has written. */
export interface HostKnowledge {
  /** This host, as the plan calls it. */
  readonly host: string;
  readonly user: HostUser;
  /** Of the job by the scheduler's word; only looked at where `planNeedsQueue`. */
  readonly queue: string | undefined;
}

const hint = 'site.yaml and the user database must be the same on every host of the cluster.';
const mostSlots = 65_536;

/**
 * The plan as this host may carry it out: judged again by its own site.yaml and its own user database, of which the
 * user's groups are taken. Fails with the code of the rule that refuses (`IMAGE_NOT_ALLOWED` and its kin), with
 * `JOB_NOT_YOURS` for a user or group that is not the job's, with `HOST_UNFIT` where the two hosts differ. Pure.
 */
export function judgePlan(site: SiteConfig, plan: JobPlan, { host, user, queue }: HostKnowledge): JobPlan {
  const decision = decideHere(site, plan, host, { user, queue });
  const differing = [...compareDecision(plan, decision), ...compareSettings(site, plan)];
  if (differing.length > 0) throw unfit(`site.yaml on host ${host} differs: ${differing.join('; ')}.`);
  refuseWiderMounts(plan, decision, host);
  refuseStrangeNodes(plan, host);
  return { ...plan, user: judgeUser(plan.user, user, host) };
}

/** True when this host must know the job's partition or queue to judge the plan. */
export function planNeedsQueue(site: SiteConfig, plan: JobPlan): boolean {
  try {
    return needsQueue(site, requestOf(plan));
  } catch {
    return false; // `judgePlan` says why it is refused
  }
}

/** The request that leads to this plan where all is as it should be. */
export function requestOf({ application, image, workdir, mounts, devices, nodes, shmBytes }: JobPlan): RequestToDecide {
  return {
    ...(application === undefined ? { image: image.reference } : { application }),
    workdir,
    mounts: mounts.map(({ source }) => source),
    devices,
    ...(shmBytes === undefined ? {} : { shmBytes }),
    hostCount: nodes.length,
  };
}

function decideHere(site: SiteConfig, plan: JobPlan, host: string, requester: Requester): Decision {
  try {
    return decideRequest(site, requestOf(plan), requester);
  } catch (thrown) {
    if (!(thrown instanceof JobError)) throw thrown;
    const isRefusal = thrown.exitStatus === exitStatus.refusedByPolicy;
    throw new JobError({
      code: isRefusal ? thrown.code : 'HOST_UNFIT',
      message: `site.yaml on host ${host} does not allow what the first host's does: ${asClause(thrown)}${thrown.rule === undefined ? '' : ` (${thrown.rule})`}.`,
      hint,
      rule: thrown.rule,
      cause: thrown,
    });
  }
}

type Told = string | number | undefined;

function* compareDecision(plan: JobPlan, decision: Decision): Iterable<string> {
  yield* compare('the image of the application', decision.imageReference, plan.image.reference);
  yield* compare('network.driver', decision.driver, plan.network.driver);
  yield* compare('applications.*.hostfile', decision.hostfile, plan.hostfile);
  yield* compare('applications.*.maxRunSeconds', decision.maxRunSeconds, plan.maxRunSeconds);
  const unset = Object.keys(decision.environment).filter((name) => !Object.hasOwn(plan.environment, name));
  if (unset.length > 0) yield `applications.*.environment sets ${unset.join(', ')} here`;
  const sources = plan.mounts.map(({ source }) => source);
  const missing = decision.mounts.filter(({ source }) => !sources.includes(source));
  if (missing.length > 0) yield `mounts.allowed adds ${missing.map(({ source }) => source).join(', ')} here`;
  const added = decision.devices.filter((name) => !plan.devices.includes(name));
  if (added.length > 0) yield `devices.allowed adds ${added.join(', ')} here`;
  if (new Set(sources).size !== sources.length) yield 'a mount stands twice in the plan';
}

function* compareSettings({ network, ssh }: SiteConfig, plan: JobPlan): Iterable<string> {
  const { cidr, mtu } = plan.network;
  const index = indexInPool(network, cidr);
  if (index === undefined) {
    yield `${cidr} of the plan is no subnet of network.pool ${network.pool} with network.prefixLength ${network.prefixLength}`;
  }
  for (const [key, { follows, decide }] of plannedNumbers) {
    const here = decide(network, index);
    if (here !== undefined) yield* compare(follows, here, plan.network[key]);
  }
  yield* compare('network.mtu', network.mtu, mtu);
  yield* compare('ssh.port', ssh.port, plan.sshPort);
}

function* compare(name: string, here: Told, planned: Told): Iterable<string> {
  if (here !== planned) yield `${name} is ${show(here)} here, ${show(planned)} in the plan`;
}

/** The plan's text ends in messages: nothing of it forges a line. */
function show(value: Told): string {
  return value === undefined ? 'not set' : JSON.stringify(value).slice(0, 120);
}

function indexInPool({ pool, prefixLength }: SiteConfig['network'], cidr: string): number | undefined {
  if (parseCidr(cidr)?.prefixLength !== prefixLength) return undefined;
  return subnetIndex(pool, cidr);
}

function refuseWiderMounts(plan: JobPlan, decision: Decision, host: string): void {
  for (const { source, target, readOnly } of decision.mounts) {
    const planned = plan.mounts.find((mount) => mount.source === source);
    if (planned?.target === target && (planned.readOnly || !readOnly)) continue;
    throw new JobError({
      code: 'MOUNT_NOT_ALLOWED',
      message: `site.yaml on host ${host} allows ${source} at ${target}${readOnly ? ', read-only' : ''}, not as the plan of the job has it.`,
      hint,
      rule: `mounts.allowed "${source}"`,
    });
  }
}

/** Addresses follow from the subnet and the place in the list: a plan that has others was not made by `open-job`. */
function refuseStrangeNodes({ nodes, network, job }: JobPlan, host: string): void {
  const isPlain =
    nodes.length <= hostCapacity(parseCidr(network.cidr)?.prefixLength ?? 32) &&
    new Set(nodes.map((node) => node.host)).size === nodes.length &&
    nodes.every(({ index, ip, mac, slots }, position) => {
      const expected = hostAddress(network.cidr, position);
      return index === position && ip === expected && mac === macOf(expected) && slots <= mostSlots;
    });
  if (!isPlain) throw unfit(`The plan of job ${job} gives its nodes addresses that host ${host} would not give them.`);
}

/** Who the container's user is, by this host's own word; of the groups those that both hosts know. */
function judgeUser(planned: JobPlan['user'], own: HostUser, host: string): JobPlan['user'] {
  const isMember = planned.gid === own.gid || own.groups.some(({ gid }) => gid === planned.gid);
  if (planned.uid !== own.uid || !isMember) {
    throw new JobError({
      code: 'JOB_NOT_YOURS',
      message:
        planned.uid === own.uid
          ? `The user database on host ${host} does not have ${own.name} in the group ${planned.gid}, which the plan of the job names.`
          : `The plan of the job is for uid ${planned.uid}, not for uid ${own.uid}.`,
      hint,
    });
  }
  const differing = [...compare('the name', own.name, planned.name), ...compare('the home', own.home, planned.home)];
  if (differing.length > 0)
    throw unfit(`The user database on host ${host} differs for uid ${own.uid}: ${differing.join('; ')}.`);
  const known = new Set(planned.groups.map(({ gid }) => gid));
  return {
    ...{ name: own.name, uid: own.uid, gid: planned.gid, home: own.home },
    groups: own.groups.filter(({ gid }) => known.has(gid) || gid === planned.gid).map((group) => ({ ...group })),
  };
}

function unfit(message: string): JobError {
  return new JobError({ code: 'HOST_UNFIT', message, hint });
}
