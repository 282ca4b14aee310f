/** Guests become a cluster with the product in it, by the steps of the admin guide. */
import { randomBytes } from 'node:crypto';
import { issueCertificate, makeAuthority } from '../../src/pki/certificates.ts';
import { describeFailure, LabError } from '../lab-error.ts';
import { productRoot } from '../layout.ts';
import { until } from './deadline.ts';
import type { Host } from './guest.ts';
import {
  cgroupUses,
  describeEtcd,
  renderCgroupConf,
  renderDockerConfig,
  renderSite,
  renderSlurmConf,
  slurmdDropIn,
  tlsDir,
} from './guest-files.ts';
import type { CgroupUseName } from './guest-files.ts';
import type { Release } from './releases.ts';

export interface Cluster {
  readonly release: Release;
  readonly guests: readonly [Host, ...Host[]];
}

const epilog = `${productRoot}/lib/node_modules/hpc-submit-dockerjob/share/slurm/epilog`;
const siteFile = '/etc/hpc-submit-dockerjob/site.yaml';
const slowMs = 600_000;
const nodesMs = 400_000;
const lastOfSlurm = `
sinfo --Node --long || true
systemctl is-active slurmd munge || true
journalctl --no-pager --output=cat --lines=4 --unit=slurmd`;
const certificateDays = 30;

/** Writes a file of a guest, owned by root unless told. */
export async function putFile(guest: Host, path: string, content: string | Buffer, mode = '0644'): Promise<void> {
  const data = Buffer.from(content).toString('base64');
  await guest.run(`install -D -m "$2" /dev/null "$1"\nbase64 -d >"$1" <<'DATA'\n${data}\nDATA`, { args: [path, mode] });
}

/** Docker Engine, the scheduler and its users, then the package and the policy. Every guest must get as far. */
export async function setUp({ release, guests }: Cluster): Promise<void> {
  const munge = randomBytes(1024);
  await Promise.all(guests.map(async (guest) => await prepareHost(release, guests, guest, munge)));
  await giveCertificates(guests);
  const [head] = guests;
  await startEtcd(head);
  await head.run('install -d -o slurm -g slurm /var/lib/slurm/slurmctld; systemctl start slurmctld', {
    timeoutMs: slowMs,
  });
  await Promise.all(guests.map(async (guest) => await guest.run('systemctl start slurmd', { timeoutMs: slowMs })));
  await Promise.all(guests.map(setUpProduct));
  await awaitNodes({ release, guests });
}

async function prepareHost(release: Release, guests: readonly Host[], guest: Host, munge: Buffer): Promise<void> {
  await putFile(guest, '/etc/munge/munge.key', munge, '0400');
  await putFile(
    guest,
    '/etc/slurm/slurm.conf',
    renderSlurmConf(
      release,
      guests.map(({ place }) => place),
      epilog,
    ),
  );
  await putFile(guest, '/etc/slurm/cgroup.conf', renderCgroupConf(release));
  await putFile(guest, '/etc/systemd/system/slurmd.service.d/restart.conf', slurmdDropIn);
  await guest.run(`
chown munge: /etc/munge/munge.key
install -d /var/lib/slurm/slurmd /scratch ${productRoot}
install -d -o alice -g alice /scratch/alice
mount /dev/vdb ${productRoot}
systemctl daemon-reload
systemctl start munge`);
  await useCgroups(guest, 'cgroupfs');
  await guest.run('docker load -q -i /opt/tiny.tar', { timeoutMs: slowMs });
}

/** Restarts the host's Docker Engine with the cgroup driver, and gives the host the policy that goes with it. */
export async function useCgroups(host: Host, name: CgroupUseName): Promise<void> {
  const use = cgroupUses[name];
  await putFile(host, '/etc/docker/daemon.json', renderDockerConfig(use.driver));
  await host.run('systemctl restart docker', { timeoutMs: slowMs });
  const told = await host.run("docker info --format '{{.CgroupDriver}} {{.CgroupVersion}}'");
  if (told.trim() !== `${use.driver} 2`)
    throw new LabError(`The Docker Engine has cgroup driver ${told.trim()}, not ${use.driver} 2.`);
  // The first guest is the head, and always there.
  await putFile(host, siteFile, renderSite('https://node1:2379', use));
}

async function giveCertificates(guests: readonly Host[]): Promise<void> {
  const authority = await makeAuthority('hpc-submit-dockerjob machine tests', certificateDays);
  for (const [index, guest] of guests.entries()) {
    const { name, address } = guest.place;
    const made = await issueCertificate(authority, {
      ...{ commonName: name, dnsNames: [name], addresses: [address], validDays: certificateDays },
      role: index === 0 ? 'server' : 'host',
    });
    await putFile(guest, `${tlsDir}/ca.pem`, authority.certificate);
    await putFile(guest, `${tlsDir}/host.pem`, made.certificate);
    await putFile(guest, `${tlsDir}/host-key.pem`, made.key, '0600');
  }
}

async function startEtcd(head: Host): Promise<void> {
  await head.run('systemd-run --quiet --unit=machine-etcd -- "$@"', { args: describeEtcd(head.place) });
}

async function setUpProduct(guest: Host): Promise<void> {
  await guest.run(`${productRoot}/bin/hpc-dockerjob-setup --unattended`, { timeoutMs: slowMs });
  await guest.run(`hpc-submit-dockerjob config check ${siteFile}`);
}

/** Waits until Slurm has heard of every node. Fails with what the daemons last said. */
async function awaitNodes({ guests: [head, ...others] }: Cluster): Promise<void> {
  const count = others.length + 1;
  await until({ what: `${count} nodes that Slurm calls idle`, timeoutMs: nodesMs }, async () => {
    const idle = await head.run('sinfo --noheader --Node --states=idle --format=%N');
    return idle.split('\n').filter((line) => line !== '').length >= count ? true : undefined;
  }).catch(async (error: unknown) => {
    const seen = await Promise.all([head, ...others].map(async (host) => (await host.tryRun(lastOfSlurm)).stdout));
    throw new LabError(`${describeFailure(error)} ${seen.join(' ')}`);
  });
}
