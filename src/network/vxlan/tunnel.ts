import * as z from 'zod';
import { JobError } from '../../values/errors.ts';
import type { NetworkNode, NetworkPlan } from '../../ports/network-driver.ts';
import { planned } from './settings.ts';
import { containsAddress } from '../../values/subnet.ts';

/** One node as the tunnel sees it: its address in the job's network and the host behind which it lies. */
const endSchema = z.object({
  ip: z.ipv4(),
  mac: z.string().regex(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/),
  hostAddress: z.ipv4(),
});

const tunnelSchema = z.object({
  vni: planned.vni.schema,
  port: planned.port.schema,
  mtu: z.number().int().min(0).max(65_535),
  prefixLength: z.number().int().min(1).max(30),
  own: endSchema,
  peers: z.array(endSchema),
});
/** Everything that goes into a command line or a rule, checked once more: it comes out of the store. */
export type Tunnel = z.infer<typeof tunnelSchema>;

/** The job's tunnel as `node` sees it. Fails with `HOST_UNFIT` when the plan does not describe one. */
export function planTunnel(plan: NetworkPlan, node: NetworkNode): Tunnel {
  const { cidr, vni, port, mtu } = plan.network;
  const peers = plan.nodes.filter(({ index }) => index !== node.index);
  const parsed = tunnelSchema.safeParse({ vni, port, mtu, prefixLength: Number(cidr.split('/')[1]), own: node, peers });
  if (!parsed.success) throw unusable(z.prettifyError(parsed.error));
  const ends = [parsed.data.own, ...parsed.data.peers];
  for (const field of ['ip', 'mac', 'hostAddress'] as const) {
    if (new Set(ends.map((end) => end[field])).size < ends.length) throw unusable(`two nodes have the same ${field}`);
  }
  const stranger = ends.find(({ ip }) => !containsAddress(cidr, ip));
  if (stranger !== undefined) throw unusable(`${stranger.ip} is not in ${cidr}`);
  return parsed.data;
}

function unusable(reason: string): JobError {
  return new JobError({
    code: 'HOST_UNFIT',
    message: `The plan of the job describes no usable VXLAN network: ${reason.replace(/\s+/g, ' ')}.`,
  });
}
