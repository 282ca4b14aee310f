import type * as z from 'zod';
import { section, wholeNumber } from '../../config/site-fields.ts';
import { subnetCount } from '../../values/subnet.ts';
import type { NetworkProblem, NetworkSettings, PoolSettings } from '../network-kind.ts';

/** Highest VXLAN network identifier: 24 bits. */
export const maxVni = 0xff_ff_ff;

const schema = section({
  port: wholeNumber(1, 65_535, '').default(4789).describe('UDP port between the hosts.'),
  baseId: wholeNumber(1, maxVni, '')
    .default(4096)
    .describe('The n-th subnet of the pool uses network identifier baseId + n.'),
})
  .prefault({})
  .describe('Tunnels between the hosts of a job.');

export interface VxlanSection extends PoolSettings {
  readonly vxlan: z.infer<typeof schema>;
}

export const settings = {
  schema,
  rule: 'no VXLAN identifier exceeds 24 bits',
  findProblems: findLargeIds,
} satisfies NetworkSettings<VxlanSection>;

function* findLargeIds({ pool, prefixLength, vxlan }: VxlanSection): Iterable<NetworkProblem> {
  const highest = vxlan.baseId + subnetCount(pool, prefixLength) - 1;
  if (highest <= maxVni) return;
  yield {
    path: ['vxlan', 'baseId'],
    uses: [['pool'], ['prefixLength']],
    message: `identifiers of the pool's subnets would run up to ${highest}; a VXLAN identifier is at most ${maxVni}`,
  };
}
