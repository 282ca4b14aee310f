import { lookup } from 'node:dns/promises';
import type { SiteConfig } from '../../config/site-schema.ts';
import type { Decision } from '../../policy/decide-request.ts';
import { passVariables } from '../../policy/pass-variables.ts';
import { planNetwork } from '../../network/known-networks.ts';
import type { ImageFacts } from '../../ports/container-engine.ts';
import type { ConfirmedJob } from '../../ports/scheduler.ts';
import { JobError } from '../../values/errors.ts';
import type { JobPlan, PlannedNode } from '../../contract/job-plan.ts';
import { jobPlanSchema } from '../../contract/job-plan.ts';
import { formatPlan } from '../../contract/plan-text.ts';
import { refuseLargePlan } from '../../contract/request-budget.ts';
import type { JobRequest } from '../../contract/job-request.ts';
import { hostAddress, macOf } from '../../values/subnet.ts';
import type { ClaimedSubnet } from '../job/claim-subnet.ts';
import type { HostUser } from '../../values/host-user.ts';

export interface PlanFacts {
  readonly site: SiteConfig;
  readonly request: JobRequest;
  readonly decision: Decision;
  readonly confirmed: ConfirmedJob;
  readonly user: HostUser;
  readonly image: {
    /** Undefined when this host has yet to fetch it. */
    readonly facts: Pick<ImageFacts, 'id' | 'environment'> | undefined;
    readonly digest: string | undefined;
  };
  readonly hostAddresses: readonly (string | undefined)[];
  readonly subnet: ClaimedSubnet;
  readonly token: string;
}

/** Everything that the hosts need to know of the job, decided once. Fails with `REQUEST_INVALID` when the store is not to hold so much. */
export function decidePlan(facts: PlanFacts): JobPlan {
  const { site, request, decision, user } = facts;
  const nodes = request.hosts.map((host, index): PlannedNode => {
    const ip = hostAddress(facts.subnet.cidr, index);
    const address = facts.hostAddresses[index];
    return {
      index,
      host: host.name,
      ...(address ? { hostAddress: address } : {}),
      slots: host.slots,
      ip,
      mac: macOf(ip),
    };
  });
  const { facts: image, digest } = facts.image;
  const { passEnvironment } = site.container;
  // Parsed: its keys then stand in one order, and its text can be compared with what is read back.
  const plan = jobPlanSchema.parse({
    version: 1,
    token: facts.token,
    launchId: request.launchId,
    job: facts.confirmed.job,
    scheduler: request.scheduler,
    schedulerJobId: facts.confirmed.schedulerJobId,
    openedAt: new Date().toISOString(),
    user: { name: user.name, uid: user.uid, gid: user.gid, home: user.home, groups: [...user.groups] },
    image: {
      reference: decision.imageReference,
      ...(image === undefined ? {} : { id: image.id }),
      ...(digest === undefined ? {} : { digest }),
    },
    ...(request.application === undefined ? {} : { application: request.application }),
    command: request.command,
    workdir: request.workdir,
    environment: {
      ...(image === undefined ? {} : passVariables(request.offered, passEnvironment, image.environment)),
      ...decision.environment,
      ...request.environment,
    },
    ...(image === undefined ? { offered: passVariables(request.offered, passEnvironment, []) } : {}),
    umask: request.umask,
    input: request.input,
    ...(decision.hostfile === undefined ? {} : { hostfile: decision.hostfile }),
    mounts: [...decision.mounts],
    devices: [...decision.devices],
    ...(request.shmBytes === undefined ? {} : { shmBytes: request.shmBytes }),
    network: {
      driver: decision.driver,
      cidr: facts.subnet.cidr,
      ...planNetwork(site.network, facts.subnet.index),
      mtu: site.network.mtu,
    },
    nodes,
    sshPort: site.ssh.port,
    maxRunSeconds: decision.maxRunSeconds,
  } satisfies JobPlan);
  refuseLargePlan(plan, formatPlan(plan));
  return plan;
}

/** Addresses of the hosts for the tunnel between them, by the host's own name service; not needed for one host. */
export async function resolveHosts(names: readonly string[]): Promise<readonly (string | undefined)[]> {
  if (names.length === 1) return [undefined];
  const found = await Promise.all(
    names.map(async (name) => {
      try {
        return (await lookup(name, { family: 4 })).address;
      } catch (cause) {
        throw new JobError({
          code: 'HOST_UNFIT',
          message: `The name of host ${name} has no IPv4 address here.`,
          hint: 'Every host of the cluster must resolve every other by the name that the scheduler uses.',
          cause,
        });
      }
    }),
  );
  const loopback = names.find((_, index) => found[index]?.startsWith('127.'));
  if (loopback !== undefined) {
    throw new JobError({
      code: 'HOST_UNFIT',
      message: `Host ${loopback} resolves to a loopback address here, which no other host can reach.`,
      hint: `Remove the line 127.0.1.1 ${loopback} from /etc/hosts.`,
    });
  }
  return found;
}
