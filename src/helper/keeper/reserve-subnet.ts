import { randomInt } from 'node:crypto';
import type { Decision } from '../../policy/decide-request.ts';
import type { Store } from '../../ports/store.ts';
import type { JobRequest } from '../../contract/job-request.ts';
import { subnetAt, subnetCount } from '../../values/subnet.ts';
import type { ClaimedSubnet } from '../job/claim-subnet.ts';
import { claimSubnet, freeSubnetsOf } from '../job/claim-subnet.ts';
import { networkKinds } from '../../network/known-networks.ts';
import type { HelperContext } from '../open-context.ts';

/** A subnet for this job alone; any will do where the job meets no other. Undone by `claims`. */
export async function reserveSubnet(
  { site: { network, site } }: Pick<HelperContext, 'site'>,
  store: Store,
  request: JobRequest,
  { driver, token, uid }: { readonly driver: Decision['driver']; readonly token: string; readonly uid: number },
  claims: AsyncDisposableStack,
): Promise<ClaimedSubnet> {
  const { pool, prefixLength } = network;
  if (networkKinds[driver].addressesFrom === 'job') {
    const index = randomInt(Math.max(1, subnetCount(pool, prefixLength)));
    return { cidr: subnetAt(pool, prefixLength, index), index };
  }
  const claimer = { prefix: site.keyPrefix, job: request.job, token };
  // Before the claim, which may be made although its answer is lost: then only its token tells which one it was.
  claims.defer(async () => await freeSubnetsOf(store, claimer));
  return await claimSubnet(store, { ...claimer, uid, pool, prefixLength });
}
