/** What state a lab is in, host by host. */
import { findHostInit } from './boot-hosts.ts';
import { readHierarchies } from './cgroup-tree.ts';
import { findLab } from './lab.ts';
import type { Lab } from './running-lab.ts';
import type { RunningHost } from './boot-hosts.ts';
import { cgroupNameOf, headName } from './layout.ts';
import { findStoppedServices, pingDocker, readNodeStates, servicesOf } from './start-services.ts';

export interface HostStatus {
  readonly name: string;
  readonly address: string;
  readonly initPid: number;
  readonly running: readonly string[];
  readonly stopped: readonly string[];
  readonly docker?: string;
  readonly slurm?: string;
}

export interface LabStatus {
  readonly name: string;
  readonly state: 'up' | 'down' | 'degraded';
  readonly stateDir?: string;
  readonly etcdEndpoints?: readonly string[];
  readonly hosts: readonly HostStatus[];
}

/** Reads the lab's state without changing anything; a lab that was never brought up is `down`. */
export async function readStatus(name: string): Promise<LabStatus> {
  const hierarchies = await readHierarchies();
  if ((await findHostInit(hierarchies, cgroupNameOf(name), headName)) === undefined)
    return { name, state: 'down', hosts: [] };
  const lab = await findLab(name);
  const nodeStates = await readNodeStates(lab.head).catch(() => new Map<string, string>());
  const hosts = await Promise.all([lab.head, ...lab.nodes].map((host) => readHostStatus(lab, host, nodeStates)));
  const healthy = hosts.every(
    ({ stopped, docker, slurm }) =>
      stopped.length === 0 && (docker ?? 'ready') === 'ready' && !/down|drain|unknown/.test(slurm ?? ''),
  );
  return {
    name,
    state: healthy ? 'up' : 'degraded',
    stateDir: lab.layout.stateDir,
    etcdEndpoints: lab.layout.etcdMembers.map(({ clientUrl }) => clientUrl),
    hosts,
  };
}

async function readHostStatus(
  lab: Lab,
  host: RunningHost,
  nodeStates: ReadonlyMap<string, string>,
): Promise<HostStatus> {
  const stopped = (await findStoppedServices(lab.hierarchies, lab.layout, host)).map(({ name }) => name);
  const running = servicesOf(lab.layout, host)
    .map(({ name }) => name)
    .filter((name) => !stopped.includes(name));
  const base = { name: host.name, address: host.address, initPid: host.initPid, running, stopped };
  if (host.name === lab.head.name) return base;
  return { ...base, docker: (await pingDocker(host)) ?? 'ready', slurm: nodeStates.get(host.name) ?? 'unknown' };
}

/** The status as lines for people. */
export function renderStatus(status: LabStatus): string {
  const lines = status.hosts.map(({ name, address, running, stopped, slurm, docker }) => {
    const words = [name.padEnd(8), address.padEnd(12), `runs ${running.join(' ') || 'nothing'}`];
    if (docker !== undefined) words.push(`docker ${docker}`);
    if (slurm !== undefined) words.push(`slurm ${slurm}`);
    if (stopped.length > 0) words.push(`STOPPED ${stopped.join(' ')}`);
    return words.join('  ');
  });
  return [`lab ${status.name} is ${status.state}`, ...lines].join('\n');
}
