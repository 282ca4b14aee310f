import * as z from 'zod';
import { section, wholeNumber } from '../../config/site-fields.ts';
import { subnetCount } from '../../values/subnet.ts';
import type { NetworkProblem, NetworkRule, PlannedNumber, PoolSettings } from '../network-kind.ts';

/** Highest VXLAN network identifier: 24 bits. */
const maxVni = 0xff_ff_ff;

const vxlan = section({
  port: wholeNumber(1, 65_535, '').default(4789).describe('UDP port between the hosts.'),
  baseId: wholeNumber(1, maxVni, '')
    .default(4096)
    .describe('The n-th subnet of the pool uses network identifier baseId + n.'),
});

/** What site.yaml says. */
export const settings = { vxlan: vxlan.prefault({}).describe('Tunnels between the hosts of a job.') };

export interface VxlanSection extends PoolSettings {
  readonly vxlan: z.infer<typeof vxlan>;
}

export const rule: NetworkRule<VxlanSection> = {
  text: 'no VXLAN identifier exceeds 24 bits',
  findProblems: findLargeIds,
};

function* findLargeIds({ pool, prefixLength, vxlan: { baseId } }: VxlanSection): Iterable<NetworkProblem> {
  const highest = baseId + subnetCount(pool, prefixLength) - 1;
  if (highest <= maxVni) return;
  yield {
    path: ['vxlan', 'baseId'],
    uses: [['pool'], ['prefixLength']],
    message: `identifiers of the pool's subnets would run up to ${highest}; a VXLAN identifier is at most ${maxVni}`,
  };
}

/** What the plan says: the network identifier, and the UDP port between the hosts. */
export const planned = {
  vni: {
    schema: z.number().int().min(1).max(maxVni),
    follows: 'network.vxlan.baseId with this subnet',
    decide: (network, index) => (index === undefined ? undefined : network.vxlan.baseId + index),
  },
  port: {
    schema: z.number().int().min(1).max(65_535),
    follows: 'network.vxlan.port',
    decide: (network) => network.vxlan.port,
  },
} satisfies Record<string, PlannedNumber<VxlanSection>>;
