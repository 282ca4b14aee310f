/** Guests become a cluster with the product in it, by the steps of the admin guide. */
import { randomBytes } from 'node:crypto';
import { issueCertificate, makeAuthority } from '../../src/pki/certificates.ts';
import { LabError } from '../lab-error.ts';
import { productRoot } from '../layout.ts';
import type { Guest } from './guest.ts';
import { cgroupConf, describeEtcd, renderDockerConfig, renderSite, renderSlurmConf, tlsDir } from './guest-files.ts';
import type { CgroupDriver } from './guest-files.ts';
import type { Release } from './releases.ts';

export interface Cluster {
  readonly release: Release;
  readonly guests: readonly [Guest, ...Guest[]];
}

const epilog = `${productRoot}/lib/node_modules/hpc-submit-dockerjob/share/slurm/epilog`;
const slowMs = 300_000;
const certificateDays = 30;

/** Writes a file of a guest, owned by root unless told. */
export async function putFile(guest: Guest, path: string, content: string | Buffer, mode = '0644'): Promise<void> {
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
  await awaitNodes(head, guests.length);
}

async function prepareHost(release: Release, guests: readonly Guest[], guest: Guest, munge: Buffer): Promise<void> {
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
  await putFile(guest, '/etc/slurm/cgroup.conf', cgroupConf);
  await guest.run(`
chown munge: /etc/munge/munge.key
install -d /var/lib/slurm/slurmd /scratch ${productRoot}
install -d -o alice -g alice /scratch/alice
mount /dev/vdb ${productRoot}
systemctl start munge`);
  await useDriver(guest, 'cgroupfs');
  await guest.run('docker load -q -i /opt/tiny.tar', { timeoutMs: slowMs });
}

/** Restarts the guest's Docker Engine with that cgroup driver. */
export async function useDriver(guest: Guest, driver: CgroupDriver): Promise<void> {
  await putFile(guest, '/etc/docker/daemon.json', renderDockerConfig(driver));
  await guest.run('systemctl restart docker', { timeoutMs: slowMs });
  const told = await guest.run("docker info --format '{{.CgroupDriver}} {{.CgroupVersion}}'");
  if (told.trim() !== `${driver} 2`)
    throw new LabError(`The Docker Engine has cgroup driver ${told.trim()}, not ${driver} 2.`);
}

async function giveCertificates(guests: readonly Guest[]): Promise<void> {
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

async function startEtcd(head: Guest): Promise<void> {
  await head.run('systemd-run --quiet --unit=machine-etcd -- "$@"', { args: describeEtcd(head.place) });
}

async function setUpProduct(guest: Guest): Promise<void> {
  await guest.run(`${productRoot}/bin/hpc-dockerjob-setup --unattended`, { timeoutMs: slowMs });
  // The first guest is the head, and always there.
  await putFile(guest, '/etc/hpc-submit-dockerjob/site.yaml', renderSite('https://node1:2379'));
  await guest.run('hpc-submit-dockerjob config check /etc/hpc-submit-dockerjob/site.yaml');
}

async function awaitNodes(head: Guest, count: number): Promise<void> {
  const script = `
for try in $(seq 120); do
  idle=$(sinfo --noheader --Node --states=idle --format=%N | wc -l)
  [ "$idle" -ge "$1" ] && exit 0
  sleep 1
done
sinfo --Node --long >&2
exit 1`;
  await head.run(script, { args: [String(count)], timeoutMs: slowMs });
}

/** What any job has left on a guest: empty when nothing. Slurm's own cgroups of jobs count. */
export async function findLeft(guest: Guest): Promise<readonly string[]> {
  const left = await guest.run(`
docker ps --all --format 'container {{.Names}}'
docker network ls --format 'network {{.Name}}' | grep -vxE 'network (bridge|host|none)' || true
ip -oneline link | grep -E 'vxlan|hpcdjv|\\bhj' | sed 's/^/link /' || true
nft list tables | grep hpcdj | sed 's/^/filter /' || true
find /run/hpc-dockerjob -mindepth 1 -printf 'file %p\\n' 2>/dev/null || true
pgrep -a -f 'dist/helper[.]cjs' | sed 's/^/helper /' || true
find /sys/fs/cgroup -type d \\( -name 'job_[0-9]*' -o -name 'hpcdj*' -o -name 'docker-*' \\) -printf 'cgroup %P\\n'`);
  return left.split('\n').filter((line) => line !== '');
}
