import { readdirSync, realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { SiteConfig } from '../../config/site-schema.ts';
import { containerPaths } from '../../contract/container-paths.ts';
import type { JobKey } from '../../contract/job-key.ts';
import { labels } from '../../contract/labels.ts';
import { nodeRunDirectory } from '../../contract/own-objects.ts';
import { describeCreateOptions } from '../../docker/describe-create-options.ts';
import { describeContainer } from '../../policy/describe-container.ts';
import { describeRunMounts } from '../../policy/describe-run-mounts.ts';
import type { ContainerSpec } from '../../ports/container-engine.ts';
import type { Allocation } from '../../ports/scheduler.ts';
import { findDeviceNodes } from '../../config/find-device-nodes.ts';
import { formatBytes } from '../../values/format-bytes.ts';
import type { HostUser } from '../../values/host-user.ts';
import type { AskedJob } from './judge-asked.ts';

/** A part of the specification that only a running job has: what stands in its place, and what it will be. */
export interface UnknownPart {
  readonly part: string;
  readonly meaning: string;
}

/** The container of a job's first host, as the helper would ask the Docker Engine for it. */
export interface FinalContainer {
  /** In the words of `POST /containers/create`; a text in angle brackets stands for an unknown part. */
  readonly options: Awaited<ReturnType<typeof describeCreateOptions>>;
  readonly spec: ContainerSpec;
  readonly unknown: readonly UnknownPart[];
}

export interface ContainerFacts {
  readonly site: SiteConfig;
  readonly asked: AskedJob;
  readonly user: HostUser;
  /** The job that we are in; undefined outside of one. */
  readonly job: Pick<Allocation, 'job' | 'schedulerJobId'> | undefined;
}

const unknownJob = '<job>' as JobKey;

/**
 * Puts the decision through the very functions by which the helper makes the container, with names in angle brackets for
 * what it takes from a running job, the image and the engine.
 */
export async function describeFinalContainer({ site, asked, user, job }: ContainerFacts): Promise<FinalContainer> {
  const { decision, request } = asked;
  const key = job?.job ?? unknownJob;
  const runtime = findRuntimeHere();
  const allowed = site.devices.allowed.filter(({ name }) => decision.devices.includes(name));
  // Of this host, which may be one of the job's. Which are a job's own by its GRES only root may ask.
  const devices = await findDeviceNodes(allowed.filter(({ gres }) => gres === '').flatMap(({ nodes }) => nodes));
  const described = describeContainer(
    {
      ...{ job: key, schedulerJobId: job?.schedulerJobId ?? unknownJob, token: '<token>' },
      user: { ...user, groups: [...user.groups] },
      image: { id: '<image-id>' },
      mounts: [...decision.mounts],
      ...(request.shmBytes === undefined ? {} : { shmBytes: request.shmBytes }),
      ...{ maxRunSeconds: decision.maxRunSeconds, command: request.command },
    },
    { index: 0 },
    {
      site,
      ...runtime,
      runMounts: describeRunMounts(nodeRunDirectory(key, 0)),
      network: { kind: 'none' },
      cgroupParent: '<cgroup>',
      schedulerCgroups: ['<cgroup-hierarchies>'],
      limits: {},
      devices,
      image: { environment: [], volumes: [] },
    },
  );
  const spec = decision.maxRunSeconds === 0 ? described : withLabel(described, labels.runUntil, '<end>');
  const options = await describeCreateOptions(spec);
  return { options, spec, unknown: listUnknown(site, asked, JSON.stringify(options)) };
}

function withLabel(spec: ContainerSpec, label: string, value: string): ContainerSpec {
  return { ...spec, labels: { ...spec.labels, [label]: value } };
}

/** The runtime that the set-up made for this package, as far as this user may see it. */
function findRuntimeHere(): { readonly runtimeDirectory: string; readonly loaderName: string } {
  try {
    const runtimeDirectory = realpathSync(resolve(dirname(process.argv[1] ?? ''), '../runtime'));
    const loaderName = readdirSync(`${runtimeDirectory}/lib`).find((name) => /^ld-linux.*\.so\.\d+$/.test(name));
    if (loaderName !== undefined) return { runtimeDirectory, loaderName };
  } catch {
    // Not set up on this host.
  }
  return { runtimeDirectory: '<runtime>', loaderName: '<loader>' };
}

function listUnknown(site: SiteConfig, { decision }: AskedJob, text: string): readonly UnknownPart[] {
  const { container, scheduler } = site;
  const limits = 'its limits of memory and processors are those of the scheduler';
  const meanings: Readonly<Record<string, string>> = {
    '<job>': 'the id of the job, and of its node: other hosts have node-1, node-2, … in place of node-0',
    '<token>': 'random for each run of the job',
    '<image-id>': `the id of ${decision.imageReference} on the hosts, which only root may ask of the Docker Engine`,
    '<address>': `an address out of the subnet of network.pool that the job gets`,
    '<cgroup>': scheduler.requireJobCgroup
      ? `the scheduler's cgroup of the job: ${limits}`
      : `the scheduler's cgroup of the job: ${limits}. A job that has none gets no CgroupParent, but NanoCpus by its slots and Memory by container.memoryPerSlotBytes`,
    '<cgroup-hierarchies>': 'where the scheduler has the job',
    '<end>': `seconds of the epoch: the start, ${decision.maxRunSeconds} s of maxRunSeconds and the deadlines`,
    '<runtime>': 'the runtime of this package, which hpc-dockerjob-setup makes on each host',
    '<loader>': 'the loader of that runtime',
  };
  const allotted = site.devices.allowed.filter(({ name, gres }) => gres !== '' && decision.devices.includes(name));
  const places = Object.entries(meanings).filter(([part]) => text.includes(part));
  return [
    ...places.map(([part, meaning]) => ({ part, meaning })),
    {
      part: 'HostConfig.Tmpfs, Env: more by the image',
      meaning: `each VOLUME of the image becomes a tmpfs of ${formatBytes(container.tmpfsBytes)}; variables by which it could change how our agent is loaded (LD_*, NODE_*, …) are emptied for the agent`,
    },
    ...allotted.map(({ name, gres, nodes }) => ({
      part: `HostConfig.Devices: ${name}`,
      meaning: `${nodes.join(', ')} of each ${gres} that Slurm allots to the job on the host`,
    })),
    {
      part: `HostConfig.Mounts: ${containerPaths.input}`,
      meaning: 'on the first host, where the command is given standard input: a pipe of this job',
    },
  ];
}
