/** The systems that guests run: stock Debian releases with what a host of a cluster needs. Pure values. */

import { labPackageNames } from '../check-machine.ts';

export interface Release {
  /** As `npm run test:machine` calls it. */
  readonly name: string;
  readonly codename: string;
  readonly packages: readonly string[];
  /** How slurm.conf of its Slurm names the credentials' plugin. */
  readonly slurmCredential: string;
  /** What cgroup.conf of its Slurm has besides. */
  readonly slurmCgroup: readonly string[];
}

/** What a host of a cluster has, and what the lab would install by itself: guests reach no package source. */
const common = [
  ...labPackageNames,
  ...['linux-image-cloud-amd64', 'initramfs-tools', 'systemd', 'systemd-sysv', 'dbus', 'kmod', 'udev', 'login'],
  // Without apparmor a stock kernel makes dockerd refuse every container.
  ...['docker.io', 'iptables', 'apparmor', 'nftables', 'iproute2', 'procps', 'util-linux', 'tini', 'sudo'],
  ...['slurmd', 'slurmctld', 'slurm-client', 'munge', 'etcd-server', 'etcd-client'],
  ...['openssh-server', 'openssl', 'ca-certificates'],
];

function distinct(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}

export const releases: readonly Release[] = [
  {
    ...{ name: 'debian12', codename: 'bookworm', packages: distinct(common) },
    ...{ slurmCredential: 'CryptoType=crypto/munge', slurmCgroup: [] },
  },
  {
    ...{ name: 'debian13', codename: 'trixie', packages: distinct([...common, 'docker-cli']) },
    ...{ slurmCredential: 'CredType=cred/munge', slurmCgroup: ['SystemdTimeout=60000'] },
  },
];
