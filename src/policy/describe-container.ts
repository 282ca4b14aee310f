import type { SiteConfig } from '../config/site-schema.ts';
import type { ContainerSpec, ImageFacts, Mount } from '../ports/container-engine.ts';
import { containerPaths, runtimeOptions } from '../contract/container-paths.ts';
import { containerName, nodeHostname } from '../contract/job-key.ts';
import type { JobPlan, PlannedNode } from '../contract/job-plan.ts';
import { labels } from '../contract/labels.ts';
import { listVolumes } from './list-volumes.ts';
import { runUntil } from './run-until.ts';

export interface ContainerSurroundings {
  readonly site: SiteConfig;
  readonly runtimeDirectory: string;
  readonly loaderName: string;
  readonly runMounts: readonly Mount[];
  readonly network: ContainerSpec['network'];
  readonly cgroupParent: string | undefined;
  /** Hierarchies in which the scheduler has the job. */
  readonly schedulerCgroups: readonly string[];
  /** Of the container itself; where the job's cgroup has them, those that programs look for in their own. */
  readonly limits: Pick<ContainerSpec, 'cpus' | 'memoryBytes' | 'sharedMemoryBytes' | 'cpuset'>;
  /** Device nodes of the host. */
  readonly devices: readonly string[];
  readonly image: Pick<ImageFacts, 'environment' | 'volumes'>;
}

/** What of a plan its containers rest on. */
export type PlannedContainer = Pick<
  JobPlan,
  'job' | 'schedulerJobId' | 'token' | 'user' | 'mounts' | 'shmBytes' | 'maxRunSeconds' | 'command'
> & { readonly image: { readonly id: string } };

/** The container of one node, from the plan and this host's own policy; nothing in it comes from a user unchecked. Pure. */
export function describeContainer(
  plan: PlannedContainer,
  node: Pick<PlannedNode, 'index'>,
  around: ContainerSurroundings,
): ContainerSpec {
  const { container } = around.site;
  const { runtime } = containerPaths;
  const mounts = [
    { source: around.runtimeDirectory, target: runtime, readOnly: true },
    ...around.runMounts,
    ...plan.mounts,
  ];
  const tmpfs = [
    { target: containerPaths.private, bytes: 64 * 1024 * 1024, mode: '0700', executable: true },
    ...openDirectories
      .filter((target) => !plan.mounts.some((mount) => covers(mount.target, target)))
      .map((target) => ({ target, bytes: container.tmpfsBytes, mode: '1777', executable: true })),
  ];
  const kept = isolateAgent(around.image.environment);
  return {
    name: containerName(plan.job, node.index),
    imageId: plan.image.id,
    hostname: nodeHostname(plan.job, node.index),
    labels: {
      [labels.job]: plan.job,
      [labels.node]: String(node.index),
      [labels.role]: 'rank',
      [labels.uid]: String(plan.user.uid),
      [labels.token]: plan.token,
      [labels.schedulerJob]: plan.schedulerJobId,
      // Each of ours is set, empty too: the engine takes over what an image says of the others.
      [labels.cgroup]: around.cgroupParent ?? '',
      [labels.schedulerCgroups]: around.schedulerCgroups.join(' '),
      [labels.runUntil]: runUntil(plan, around.site),
    },
    uid: plan.user.uid,
    gid: plan.user.gid,
    supplementaryGids: plan.user.groups.map(({ gid }) => gid).filter((gid) => gid !== plan.user.gid && gid !== 0),
    argv: [
      `${runtime}/lib/${around.loaderName}`,
      '--library-path',
      `${runtime}/lib`,
      `${runtime}/bin/node`,
      ...runtimeOptions,
      `${runtime}/agent.cjs`,
    ],
    environment: kept.containerEnvironment,
    mounts,
    tmpfs: [...tmpfs, ...describeVolumes(around, [...mounts, ...tmpfs])],
    devices: around.devices,
    network: around.network,
    cgroupParent: around.cgroupParent,
    ...around.limits,
    shmBytes: plan.shmBytes ?? container.shmBytes,
    pidsMax: container.pidsMax,
    ulimits: {
      memlock: container.memlock,
      stack: container.stackBytes,
      nofile: container.nofile,
      core: container.coreBytes,
    },
    readOnlyRoot: container.readOnlyRoot,
  };
}

/**
 * In place of the image's volumes, which the engine would make on its disk without any limit. Memory counts as the job's.
 * Where something is mounted already, the engine makes no volume.
 */
function describeVolumes(
  { site, image }: ContainerSurroundings,
  mounted: readonly { readonly target: string }[],
): ContainerSpec['tmpfs'] {
  const taken = new Set(mounted.map(({ target }) => target));
  return listVolumes(image)
    .filter((target) => !taken.has(target))
    .map((target) => ({ target, bytes: site.container.tmpfsBytes, mode: '0755', executable: true }));
}

/** Those that everybody may write to in nearly every image: on the disk of the Docker Engine they would have no bound. */
const openDirectories = ['/tmp', '/var/tmp', '/run/lock'];

/** Whether what is mounted at `target` is there, or lies above. */
function covers(target: string, place: string): boolean {
  return place === target || place.startsWith(`${target}/`);
}

/** Variables by which an image could change how our own agent is loaded. The command gets them back. */
const loaderVariables =
  /^(?:LD_\w+|NODE_\w+|MALLOC_\w+|GLIBC_TUNABLES|GCONV_PATH|OPENSSL_\w+|SSL_CERT_FILE|SSL_CERT_DIR|SSLKEYLOGFILE|UV_\w+)$/;

/**
 * Variables by which an image asks for devices of the host where the engine's runtime is NVIDIA's or its kin: GPUs of other
 * jobs, too. The command gets them back, as words without power.
 */
const deviceVariables = /^(?:NVIDIA_\w+|\w+_VISIBLE_DEVICES)$/;

/** For a runtime that gives all devices to an image that only looks as if it were made for them. */
const noDevices = { NVIDIA_VISIBLE_DEVICES: 'void' };

/** Splits off what must reach neither the agent nor the engine's runtime: emptied in the container, to be restored for the command. */
export function isolateAgent(imageEnvironment: readonly string[]): {
  readonly containerEnvironment: Readonly<Record<string, string>>;
  readonly restored: Readonly<Record<string, string>>;
} {
  const restored: Record<string, string> = {};
  for (const line of imageEnvironment) {
    const separator = line.indexOf('=');
    const name = line.slice(0, Math.max(separator, 0));
    if (loaderVariables.test(name) || deviceVariables.test(name)) restored[name] = line.slice(separator + 1);
  }
  const emptied = Object.fromEntries(Object.keys(restored).map((name) => [name, '']));
  return { containerEnvironment: { ...emptied, ...noDevices }, restored };
}
