/** The systems that guests run: stock Debian releases with what a host of a cluster needs. Pure values. */

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

const common = [
  ...['linux-image-cloud-amd64', 'initramfs-tools', 'systemd', 'systemd-sysv', 'dbus', 'kmod', 'udev', 'login'],
  // Without apparmor a stock kernel makes dockerd refuse every container.
  ...['docker.io', 'iptables', 'apparmor', 'nftables', 'iproute2', 'procps', 'util-linux', 'tini', 'sudo'],
  ...['slurmd', 'slurmctld', 'slurm-client', 'munge', 'etcd-server', 'etcd-client'],
  ...['openssh-server', 'openssl', 'ca-certificates'],
];

export const releases: readonly Release[] = [
  {
    ...{ name: 'debian12', codename: 'bookworm', packages: common },
    ...{ slurmCredential: 'CryptoType=crypto/munge', slurmCgroup: [] },
  },
  {
    ...{ name: 'debian13', codename: 'trixie', packages: [...common, 'docker-cli'] },
    ...{ slurmCredential: 'CredType=cred/munge', slurmCgroup: ['SystemdTimeout=60000'] },
  },
];
