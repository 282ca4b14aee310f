import { existsSync } from 'node:fs';
import type { ContainerCreateOptions, HostConfig } from 'dockerode';
import type { ContainerSpec } from '../ports/container-engine.ts';
import { chooseMountPropagation } from './choose-mount-propagation.ts';
import { describeSeccomp } from './seccomp-profile.ts';

/**
 * The specification in the engine's words. What the specification leaves open is closed here: no capability, no new
 * privileges, our own seccomp profile, nothing written to logs, nothing started again, nothing of the
 * image's entry point, working directory or health check.
 */
export async function describeCreateOptions(spec: ContainerSpec): Promise<ContainerCreateOptions> {
  const [file, ...rest] = spec.argv;
  if (file === undefined) throw new RangeError('A container needs a command');
  return {
    name: spec.name,
    Image: spec.imageId,
    Hostname: spec.hostname,
    Labels: { ...spec.labels },
    User: `${spec.uid}:${spec.gid}`,
    Entrypoint: [file],
    Cmd: rest,
    Env: Object.entries(spec.environment).map(([name, value]) => `${name}=${value}`),
    // An image's own working directory may be a link: runc has followed such links out of the container before.
    WorkingDir: '/',
    Healthcheck: { Test: ['NONE'] },
    StopSignal: 'SIGTERM',
    Tty: false,
    OpenStdin: false,
    AttachStdin: false,
    AttachStdout: true,
    AttachStderr: true,
    HostConfig: {
      ...confinement,
      SecurityOpt: ['no-new-privileges', describeSeccomp()],
      ...(await describeFiles(spec)),
      ...describeDevices(spec),
      ...describeLimits(spec),
      NetworkMode: spec.network.kind,
      // The engine's name server would carry a container's questions to the site's, even out of an internal network.
      Dns: ['127.0.0.1'],
      Sysctls: withoutIpv6(),
      // Numbers, but the engine looks them up as names in the image's group file first: `verifyConfinement` looks after.
      GroupAdd: spec.supplementaryGids.map(String),
    },
  };
}

const confinement = {
  Privileged: false,
  CapDrop: ['ALL'],
  CapAdd: [],
  IpcMode: 'private',
  CgroupnsMode: 'private',
  Init: true,
  AutoRemove: false,
  RestartPolicy: { Name: 'no' },
  PublishAllPorts: false,
  LogConfig: { Type: 'none', Config: {} },
  // Our helpers live on the job's memory, too: when it is used up, the kernel takes what has used it, not who cleans up.
  OomScoreAdj: 500,
} satisfies HostConfig & { CgroupnsMode: string };

async function describeFiles(spec: ContainerSpec): Promise<HostConfig> {
  const mounts = spec.mounts.map(async ({ source, target, readOnly }) => ({
    // Never `Binds`: they create a missing source, as root.
    Type: 'bind' as const,
    Source: source,
    Target: target,
    ReadOnly: readOnly,
    BindOptions: { Propagation: await chooseMountPropagation(source) },
  }));
  const tmpfs = spec.tmpfs.map(({ target, bytes, mode, executable }) => {
    const owner = `uid=${spec.uid},gid=${spec.gid}`;
    return [target, `rw,nosuid,nodev,${executable ? 'exec' : 'noexec'},size=${bytes},mode=${mode},${owner}`] as const;
  });
  return {
    Mounts: await Promise.all(mounts),
    Tmpfs: Object.fromEntries(tmpfs),
    ReadonlyRootfs: spec.readOnlyRoot,
  };
}

/** Each named: of a directory the engine takes what it likes, links included. Nothing new can be made (no `m`). */
function describeDevices({ devices = [] }: ContainerSpec): Pick<HostConfig, 'Devices'> {
  if (devices.length === 0) return {};
  return {
    Devices: devices.map((path) => ({ PathOnHost: path, PathInContainer: path, CgroupPermissions: 'rw' })),
  };
}

function describeLimits(spec: ContainerSpec): HostConfig {
  const { memlock, stack, nofile, core } = spec.ulimits;
  const ulimits = [
    ...Object.entries({ memlock, stack, nofile }).map(([Name, limit]) => ({ Name, Soft: limit, Hard: limit })),
    // As a login has it: none unless the user asks for one.
    { Name: 'core', Soft: 0, Hard: core },
  ];
  return {
    ShmSize: spec.shmBytes,
    PidsLimit: spec.pidsMax,
    Ulimits: ulimits,
    ...(spec.cgroupParent === undefined ? {} : { CgroupParent: spec.cgroupParent }),
    ...(spec.cpus === undefined ? {} : { NanoCpus: spec.cpus * 1e9 }),
    ...(spec.cpuset === undefined ? {} : { CpusetCpus: spec.cpuset }),
    ...(spec.sharedMemoryBytes === undefined ? {} : { Memory: spec.sharedMemoryBytes, MemorySwap: -1 }),
    // As much memory with swap as without: no swap.
    ...(spec.memoryBytes === undefined ? {} : { Memory: spec.memoryBytes, MemorySwap: spec.memoryBytes }),
  };
}

/** Job networks are IPv4; link-local IPv6 would reach the host. A kernel without IPv6 has no such switch. */
function withoutIpv6(): Record<string, string> {
  if (!existsSync('/proc/sys/net/ipv6/conf/all')) return {};
  return { 'net.ipv6.conf.all.disable_ipv6': '1', 'net.ipv6.conf.default.disable_ipv6': '1' };
}
