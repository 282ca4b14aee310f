import type { JobPlan } from '../../src/contract/job-plan.ts';
import { jobPlanSchema } from '../../src/contract/job-plan.ts';
import type { NetworkName } from '../../src/network/known-networks.ts';
import { makePlan } from './make-plan.ts';

/** A plan of a job on the hosts of these addresses, good enough for a network driver. */
export function networkPlan(
  driver: NetworkName,
  hosts: readonly string[],
  { job = '772_3', cidr, vni = 4100 }: { job?: string; cidr?: string; vni?: number } = {},
): JobPlan {
  const plan = makePlan({ hosts: hosts.map((_, index) => `node${index}`), ...(cidr === undefined ? {} : { cidr }) });
  return jobPlanSchema.parse({
    ...plan,
    job,
    network: { ...plan.network, driver, vni },
    nodes: plan.nodes.map((node, index) => ({ ...node, hostAddress: hosts[index] })),
  });
}
