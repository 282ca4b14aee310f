import type { JobPlan } from '../../src/contract/job-plan.ts';
import { jobPlanSchema } from '../../src/contract/job-plan.ts';
import { hostAddress, macOf } from '../../src/values/subnet.ts';
import { makePlan } from '../../test/support/make-plan.ts';

const cidr = '10.128.0.0/16';

/** A plan of so many hosts, as `open-job` makes it for names and addresses of a usual cluster. */
export function makeScalePlan(job: string, nodeCount: number): JobPlan {
  const nodes = Array.from({ length: nodeCount }, (_, index) => {
    const ip = hostAddress(cidr, index);
    return {
      index,
      host: `node${String(index).padStart(5, '0')}`,
      hostAddress: hostAddress('10.4.0.0/16', index),
      slots: 48,
      ip,
      mac: macOf(ip),
    };
  });
  const token = BigInt(job).toString(16).padStart(32, '0');
  return jobPlanSchema.parse({ ...makePlan({ hosts: ['c1', 'c2'], cidr }), job, schedulerJobId: job, token, nodes });
}
