/** A running lab: all that is needed to enter its hosts. */
import type { RunningHost } from './boot-hosts.ts';
import type { CgroupHierarchy } from './cgroup-tree.ts';
import { LabError } from './lab-error.ts';
import type { LabLayout } from './layout.ts';

export interface Lab {
  readonly layout: LabLayout;
  readonly hierarchies: readonly CgroupHierarchy[];
  readonly head: RunningHost;
  readonly nodes: readonly RunningHost[];
  /** Cgroups for what runs on the machine on the lab's behalf. */
  readonly controlCgroups: readonly string[];
}

/** The host of that name in a running lab. */
export function hostOf(lab: Lab, name: string): RunningHost {
  const hosts = [lab.head, ...lab.nodes];
  const host = hosts.find((candidate) => candidate.name === name);
  if (host !== undefined) return host;
  const known = hosts.map((candidate) => candidate.name).join(', ');
  throw new LabError(`Lab ${lab.layout.shape.name} has no host "${name}".`, `Its hosts: ${known}.`);
}
