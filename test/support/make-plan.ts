import { parseSite } from '../../src/config/parse-site.ts';
import type { JobPlan } from '../../src/contract/job-plan.ts';
import { jobPlanSchema } from '../../src/contract/job-plan.ts';
import { hostNetwork, planNetwork } from '../../src/network/known-networks.ts';
import { hostAddress, macOf } from '../../src/values/subnet.ts';

/** As site.yaml has them by default, for the subnet 10.128.4.0/24. */
const numbers = planNetwork(parseSite('version: 1').network, 4);

/** A valid plan of job 12; `hosts` gives its nodes. */
export function makePlan({
  hosts = ['c1'],
  cidr = '10.128.4.0/24',
}: { readonly hosts?: readonly string[]; readonly cidr?: string } = {}): JobPlan {
  return jobPlanSchema.parse({
    version: 1,
    token: '0123456789abcdef0123456789abcdef',
    launchId: '0123456789abcdef',
    job: '12',
    scheduler: 'slurm',
    schedulerJobId: '12',
    openedAt: '2026-01-01T00:00:00.000Z',
    user: { name: 'alice', uid: 2001, gid: 2001, home: '/home/alice', groups: [{ gid: 2001, name: 'alice' }] },
    image: { reference: 'lab/mpi:1', id: `sha256:${'a'.repeat(64)}` },
    command: { kind: 'argv', argv: ['true'] },
    workdir: '/scratch/alice',
    environment: {},
    mounts: [{ source: '/scratch', target: '/scratch', readOnly: false }],
    network: { driver: hosts.length === 1 ? hostNetwork : 'vxlan', cidr, ...numbers, mtu: 0 },
    nodes: hosts.map((host, index) => {
      const ip = hostAddress(cidr, index);
      return { index, host, hostAddress: `192.0.2.${index + 1}`, slots: 1, ip, mac: macOf(ip) };
    }),
    sshPort: 2222,
    maxRunSeconds: 0,
  });
}
