/** The text of the files that make a guest a host of a small cluster. Pure. */
import { stringify } from 'yaml';
import type { Release } from './releases.ts';

export interface GuestPlace {
  readonly name: string;
  readonly address: string;
  /** Of the link between the guests, which is the guest's `eth0`. */
  readonly mac: string;
  /** Of the link to this machine, which carries its commands and nothing else. */
  readonly controlMac: string;
}

export const maxGuests = 2;
export const controlAddress = '10.0.2.15';
export const tlsDir = '/etc/hpc-submit-dockerjob/tls';

/** Guest 1 is also the cluster's head: slurmctld and etcd run there. */
export const guestPlaces: readonly GuestPlace[] = Array.from({ length: maxGuests }, (_, index) => ({
  name: `node${index + 1}`,
  address: `10.77.0.${11 + index}`,
  mac: `52:54:00:77:00:0${index + 1}`,
  controlMac: `52:54:00:99:00:0${index + 1}`,
}));

/** Units of systemd-networkd by file name: every disk has those of all guests, and a guest knows its own by the MAC address. */
export function renderNetworkUnits(): readonly (readonly [file: string, text: string])[] {
  const unit = (macs: string, address: string): string =>
    `[Match]\nMACAddress=${macs}\n[Network]\nAddress=${address}/24\nLinkLocalAddressing=no\n`;
  const control = guestPlaces.map(({ controlMac }) => controlMac).join(' ');
  return [
    ...guestPlaces.map(({ name, mac, address }) => [`10-${name}.network`, unit(mac, address)] as const),
    ['20-control.network', unit(control, controlAddress)],
  ];
}

export function renderHosts(): string {
  return ['127.0.0.1 localhost', ...guestPlaces.map(({ name, address }) => `${address} ${name}`), ''].join('\n');
}

/** As the admin guide has it, with the pauses of a slow machine. */
export function renderSlurmConf(release: Release, guests: readonly GuestPlace[], epilog: string): string {
  const nodes = guests.map(
    ({ name, address }) => `NodeName=${name} NodeAddr=${address} CPUs=2 RealMemory=2000 State=UNKNOWN`,
  );
  return [
    ...['ClusterName=machine', `SlurmctldHost=${guests[0]?.name ?? ''}`, 'SlurmUser=slurm'],
    ...['AuthType=auth/munge', release.slurmCredential, 'MpiDefault=none'],
    ...['StateSaveLocation=/var/lib/slurm/slurmctld', 'SlurmdSpoolDir=/var/lib/slurm/slurmd'],
    ...['ProctrackType=proctrack/cgroup', 'TaskPlugin=task/affinity,task/cgroup'],
    ...['JobAcctGatherType=jobacct_gather/cgroup', 'JobAcctGatherFrequency=10', 'PrologFlags=Contain'],
    ...[`Epilog=${epilog}`, 'SelectType=select/cons_tres', 'SelectTypeParameters=CR_CPU_Memory'],
    ...['SlurmdParameters=config_overrides', 'DefMemPerCPU=700', 'KillWait=15', 'ReturnToService=2'],
    ...['MessageTimeout=60', 'SlurmdTimeout=180', 'UnkillableStepTimeout=120', 'MinJobAge=3600'],
    'SchedulerParameters=batch_sched_delay=0,sched_interval=5,sched_min_interval=0,bf_interval=5',
    ...nodes,
    `PartitionName=machine Nodes=${guests.map(({ name }) => name).join(',')} Default=YES MaxTime=INFINITE State=UP`,
    '',
  ].join('\n');
}

export function renderCgroupConf({ slurmCgroup }: Release): string {
  return ['CgroupPlugin=cgroup/v2', 'ConstrainCores=yes', 'ConstrainRAMSpace=yes', ...slurmCgroup, ''].join('\n');
}

/**
 * slurmd waits for its scope of systemd, and dies when that comes late on a busy machine: its node is then unknown for
 * good. Debian's unit does not start it again.
 */
export const slurmdDropIn = '[Service]\nRestart=on-failure\nRestartSec=3\n';

export type CgroupDriver = 'cgroupfs' | 'systemd';

/** How the Docker Engine and the policy of a host stand to a job's cgroup. */
export interface CgroupUse {
  readonly driver: CgroupDriver;
  readonly requireJobCgroup: boolean;
}

export const cgroupUses = {
  /** As the admin guide wants it. */
  cgroupfs: { driver: 'cgroupfs', requireJobCgroup: true },
  /** Docker's own choice on cgroup v2, and a site that has agreed to containers outside of the job's cgroup. */
  systemd: { driver: 'systemd', requireJobCgroup: false },
  /** The same, and a site that has not. */
  'systemd, unagreed': { driver: 'systemd', requireJobCgroup: true },
} as const satisfies Record<string, CgroupUse>;
export type CgroupUseName = keyof typeof cgroupUses;

/** Deadlines are those of an emulated processor on a busy machine; all else is what a site would write. */
export function renderSite(endpoint: string, { requireJobCgroup }: CgroupUse): string {
  return stringify({
    version: 1,
    site: { name: 'machine' },
    etcd: { endpoints: [endpoint], callTimeoutMs: 30_000, leaseTtlSeconds: 300 },
    docker: { callTimeoutMs: 300_000 },
    images: { allowed: ['lab/*'] },
    mounts: { allowed: [{ source: '/scratch', always: true }] },
    container: { tmpfsBytes: 64 * 1024 ** 2, shmBytes: 64 * 1024 ** 2 },
    scheduler: { requireJobCgroup },
    deadlines: { openSeconds: 300, startSeconds: 900, discoverSeconds: 900, stopSeconds: 10, releaseSeconds: 300 },
  });
}

export function renderDockerConfig(driver: CgroupDriver): string {
  return JSON.stringify({ 'exec-opts': [`native.cgroupdriver=${driver}`], 'live-restore': true });
}

/** Command line of the guest's etcd, as the admin guide has it. */
export function describeEtcd({ name, address }: GuestPlace): readonly string[] {
  const client = `https://${name}:2379`;
  const peer = `https://${address}:2380`;
  const tls = [`cert-file=${tlsDir}/host.pem`, `key-file=${tlsDir}/host-key.pem`, `trusted-ca-file=${tlsDir}/ca.pem`];
  return [
    ...['/usr/bin/etcd', `--name=${name}`, '--data-dir=/var/lib/etcd/machine'],
    ...[`--listen-client-urls=https://${address}:2379`, `--advertise-client-urls=${client}`],
    ...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`, `--initial-cluster=${name}=${peer}`],
    ...['--client-cert-auth', '--peer-client-cert-auth'],
    ...tls.flatMap((option) => [`--${option}`, `--peer-${option}`]),
    ...['--auto-compaction-mode=periodic', '--auto-compaction-retention=5m', '--quota-backend-bytes=2147483648'],
    ...['--heartbeat-interval=1000', '--election-timeout=10000'],
  ];
}
