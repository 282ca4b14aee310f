import { requireJobKey } from '../../src/shared/job-key.ts';
import { jobPlanSchema } from '../../src/shared/job-plan.ts';
import type { JobPlan } from '../../src/shared/job-plan.ts';
import { hostAddress, macOf } from '../../src/shared/subnet.ts';

/** A plan of a job on `hosts` (their addresses), good enough for a network driver. */
export function networkPlan(
  driver: 'vxlan' | 'bridge',
  hosts: readonly string[],
  changes: { job?: string; cidr?: string; vni?: number } = {},
): JobPlan {
  const cidr = changes.cidr ?? '10.128.4.0/24';
  const job = changes.job ?? '772_3';
  return jobPlanSchema.parse({
    version: 1,
    token: '0'.repeat(32),
    job: requireJobKey(job),
    scheduler: 'slurm',
    schedulerJobId: '772',
    openedAt: '2026-01-01T00:00:00Z',
    user: { name: 'ada', uid: 2001, gid: 2002, home: '/', groups: [] },
    image: { reference: 'hpc/app:1', id: `sha256:${'0'.repeat(64)}` },
    command: { kind: 'argv', argv: ['true'] },
    workdir: '/',
    environment: {},
    mounts: [],
    network: { driver, cidr, vni: changes.vni ?? 4100, port: 4789, mtu: 0 },
    nodes: hosts.map((address, index) => {
      const ip = hostAddress(cidr, index);
      return { index, host: `node${index}`, hostAddress: address, slots: 1, ip, mac: macOf(ip) };
    }),
    sshPort: 2222,
    maxRunSeconds: 0,
  });
}
