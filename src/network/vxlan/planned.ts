import * as z from 'zod';
import type { PlannedNumber } from '../network-kind.ts';
import { maxVni } from './settings.ts';
import type { VxlanSection } from './settings.ts';

/** What the hosts of a job agree on: the network identifier, and the UDP port between them. */
export const planned = {
  vni: {
    schema: z.number().int().min(1).max(maxVni),
    follows: 'network.vxlan.baseId with this subnet',
    decide: ({ vxlan }, index) => (index === undefined ? undefined : vxlan.baseId + index),
  },
  port: {
    schema: z.number().int().min(1).max(65_535),
    follows: 'network.vxlan.port',
    decide: ({ vxlan }) => vxlan.port,
  },
} satisfies Record<string, PlannedNumber<VxlanSection>>;
