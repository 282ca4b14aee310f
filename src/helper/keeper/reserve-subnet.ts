import { randomInt } from 'node:crypto';
import type { Decision } from '../../policy/decide-request.ts';
import type { Store } from '../../ports/store.ts';
import type { JobRequest } from '../../contract/job-request.ts';
import { subnetAt, subnetCount, subnetIndex } from '../../values/subnet.ts';
import type { ClaimedSubnet } from '../job/claim-subnet.ts';
import { claimSubnet, freeSubnetsOf } from '../job/claim-subnet.ts';
import type { HelperContext } from '../open-context.ts';

/** Tries on a single host, whose other networks are the only rivals. */
const hostSubnetTries = 24;

/** A subnet for this job alone: of this host where hosts keep them apart, else of the whole site. Undone by `claims`. */
export async function reserveSubnet(
  context: Pick<HelperContext, 'site' | 'network'>,
  store: Store,
  request: JobRequest,
  { driver, token }: { readonly driver: Decision['driver']; readonly token: string },
  claims: AsyncDisposableStack,
): Promise<ClaimedSubnet> {
  const { network, site } = context.site;
  const { pool, prefixLength } = network;
  const onHost = context.network(driver);
  if (onHost.reserve !== undefined) {
    const count = subnetCount(pool, prefixLength);
    const indexes = Array.from({ length: Math.min(hostSubnetTries, count) }, () => randomInt(count));
    claims.defer(async () => await onHost.release(request.job));
    const cidr = await onHost.reserve(
      request.job,
      indexes.map((index) => subnetAt(pool, prefixLength, index)),
    );
    return { cidr, index: subnetIndex(pool, cidr) ?? 0 };
  }
  const claimer = { prefix: site.keyPrefix, job: request.job, token };
  // Before the claim, which may be made although its answer is lost: then only its token tells which one it was.
  claims.defer(async () => await freeSubnetsOf(store, claimer));
  return await claimSubnet(store, { ...claimer, pool, prefixLength });
}
