/** Where everything of a lab lives and what it is called: pure values, so that any command finds a lab by its name alone. */
import { LabError } from './lab-error.ts';

/** What a lab is made of; kept in `lab.json`, since `down`, `exec` and `status` are told the name only. */
export interface LabShape {
  readonly name: string;
  readonly hosts: number;
  readonly etcdMembers: 1 | 3;
  /** The stand-in for LSF beside Slurm: as recorded, or with blaunch and its variables like IBM's. */
  readonly lsf?: LsfKind | undefined;
  /** An installed LSF that runs instead of the stand-in. */
  readonly lsfDirectory?: string | undefined;
  /** Grid Engine beside Slurm. */
  readonly gridEngine?: boolean | undefined;
}

export type LsfKind = 'plain' | 'ibm';

export interface LabHost {
  readonly name: string;
  readonly address: string;
}

export interface EtcdMember {
  readonly name: string;
  /** By the head's name, as clients use it and its certificate has it. */
  readonly clientUrl: string;
  readonly listenUrl: string;
  readonly peerUrl: string;
}

export interface LabUser {
  readonly name: string;
  readonly uid: number;
}

export const labUsers: readonly LabUser[] = [
  { name: 'alice', uid: 2001 },
  { name: 'bob', uid: 2002 },
];
export const sharedGroup = { name: 'cfd', gid: 2100 } as const;

export const defaultLabName = 'lab';
export const headName = 'head';
export const productRoot = '/opt/hpc-submit-dockerjob';
export const cacheDir = '/var/cache/hpc-dockerjob-lab';

const lockDir = '/run/hpc-dockerjob-lab';
/** Not the lock of any lab: their names have no hyphen. */
export const packagesLockFile = `${lockDir}/debian-packages.lock`;
const stateRoot = '/var/lib/hpc-dockerjob-lab';
const headAddress = '10.77.0.1';
const maxHosts = 64;

/** Names and paths of one lab, derived from its shape. */
export interface LabLayout {
  readonly shape: LabShape;
  readonly stateDir: string;
  readonly cgroupName: string;
  readonly lockFile: string;
  readonly head: LabHost;
  readonly nodes: readonly LabHost[];
  readonly etcdMembers: readonly EtcdMember[];
}

/** The layout of a lab; refuses a shape that would not fit its network or the kernel's name lengths. */
export function layOut(shape: LabShape): LabLayout {
  checkLabName(shape.name);
  if (!Number.isInteger(shape.hosts) || shape.hosts < 1 || shape.hosts > maxHosts) {
    throw new LabError(`A lab has 1 to ${maxHosts} hosts, not ${shape.hosts}.`);
  }
  return {
    shape,
    stateDir: stateDirOf(shape.name),
    cgroupName: cgroupNameOf(shape.name),
    lockFile: lockFileOf(shape.name),
    head: { name: headName, address: headAddress },
    nodes: Array.from({ length: shape.hosts }, (_, index) => ({
      name: `node${index + 1}`,
      address: `10.77.0.${11 + index}`,
    })),
    etcdMembers: Array.from({ length: shape.etcdMembers }, (_, index) => ({
      name: `etcd${index + 1}`,
      clientUrl: `https://${headName}:${index * 10_000 + 2379}`,
      listenUrl: `https://${headAddress}:${index * 10_000 + 2379}`,
      peerUrl: `https://${headAddress}:${index * 10_000 + 2380}`,
    })),
  };
}

/** Every host of the lab, the head first. */
export function allHosts(layout: LabLayout): readonly LabHost[] {
  return [layout.head, ...layout.nodes];
}

/** Refuses a lab name that would not fit into link, cgroup and path names. */
export function checkLabName(name: string): void {
  if (!/^[a-z][a-z0-9]{0,7}$/.test(name)) {
    throw new LabError(`"${name}" is no lab name.`, 'Take up to 8 lower-case letters and digits, a letter first.');
  }
}

export function stateDirOf(name: string): string {
  return `${stateRoot}/${name}`;
}

export function cgroupNameOf(name: string): string {
  return `hpc-lab-${name}`;
}

export function lockFileOf(name: string): string {
  return `${lockDir}/${name}.lock`;
}

/** What one host keeps outside its own root: the private layer of that root, its Docker images, its logs. */
export function hostPaths(layout: LabLayout, host: LabHost) {
  const base = `${layout.stateDir}/hosts/${host.name}`;
  return {
    base,
    upper: `${base}/upper`,
    work: `${base}/work`,
    root: `${base}/root`,
    docker: `${base}/docker`,
    log: `${base}/log`,
  };
}

/** The directories that all hosts share: the cluster file system and the installed product. */
export function sharedPaths(layout: LabLayout) {
  return {
    home: `${layout.stateDir}/home`,
    scratch: `${layout.stateDir}/scratch`,
    product: `${layout.stateDir}/product`,
    secrets: `${layout.stateDir}/secrets`,
  };
}
