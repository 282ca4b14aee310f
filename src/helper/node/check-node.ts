import type { HostShare, ShareLimits } from './confirm-share.ts';
import { confirmShare, limitsOf } from './confirm-share.ts';
import type { HelperContext } from '../open-context.ts';
import type { OwnNode } from './own-node.ts';

/** Not below the job's cgroup: the limits that it would have there are the container's own. */
export async function ownLimits(
  context: HelperContext,
  own: OwnNode,
  share: HostShare | undefined,
): Promise<ShareLimits> {
  const { plan, node, site } = own;
  return limitsOf(site, share ?? (await confirmShare(context.authorities.of(plan.scheduler), plan, node)));
}
