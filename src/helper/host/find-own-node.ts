import { hostname, networkInterfaces } from 'node:os';
import type { JobPlan, PlannedNode } from '../../contract/job-plan.ts';
import { JobError } from '../../values/errors.ts';

/** The plan's node that belongs to this host; fails with `JOB_NOT_YOURS` when none does. */
export function findOwnNode(plan: JobPlan): PlannedNode {
  const found = findOwnNodeIfAny(plan);
  if (found !== undefined) return found;
  throw new JobError({
    code: 'JOB_NOT_YOURS',
    message: `Host ${hostname()} is not one of the hosts of job ${plan.job} (${plan.nodes
      .slice(0, 8)
      .map(({ host }) => host)
      .join(', ')}${plan.nodes.length > 8 ? ', …' : ''}).`,
  });
}

/** The plan's node that belongs to this host; see `findOwnHost`. */
export function findOwnNodeIfAny(plan: JobPlan): PlannedNode | undefined {
  return findOwnHost(plan.nodes);
}

/** The one of these hosts that is this one, by its name or, where names differ, by its address. */
export function findOwnHost<Host extends { readonly host: string; readonly hostAddress?: string | undefined }>(
  hosts: readonly Host[],
): Host | undefined {
  const own = hostname();
  const short = (name: string): string => name.split('.')[0] ?? name;
  const byName = hosts.find(({ host }) => host === own) ?? hosts.find(({ host }) => short(host) === short(own));
  if (byName !== undefined) return byName;
  const addresses = new Set(
    Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address)),
  );
  return hosts.find(({ hostAddress }) => hostAddress !== undefined && addresses.has(hostAddress));
}
