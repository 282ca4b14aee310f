import { deflateRawSync, inflateRawSync } from 'node:zlib';
import * as z from 'zod';
import { hostAddress, macOf } from '../values/subnet.ts';
import { JobError } from '../values/errors.ts';
import { parseJsonAs } from '../values/parse-json-as.ts';
import type { JobPlan, PlannedNode } from './job-plan.ts';
import { jobPlanSchema } from './job-plan.ts';
import { mostListedNodes } from './roster-text.ts';

/** What a packed list may unpack to: 65,536 hosts with names and addresses of usual length. */
const mostUnpackedBytes = 8 * 1024 * 1024;

/** What does not follow from the place in the list, by column: so equal beginnings stand side by side. */
const columnsSchema = z.strictObject({
  hosts: z.array(z.string()),
  addresses: z.array(z.string()),
  slots: z.array(z.number()),
});
type Columns = z.infer<typeof columnsSchema>;

/** In the place of `nodes`: so many, and the deflated columns. */
const packedSchema = z.looseObject({
  network: z.looseObject({ cidr: z.cidrv4() }),
  nodes: z.strictObject({ count: z.number().int().min(1), packed: z.base64() }),
});

/**
 * The value of PLAN. Every host reads it, so the nodes of a large job stand in it packed, without what follows from the
 * subnet. The same plan always has the same text: the owner of a job is known by it.
 */
export function formatPlan(plan: JobPlan): string {
  const columns = plan.nodes.length > mostListedNodes ? columnsOf(plan) : undefined;
  if (columns === undefined) return JSON.stringify(plan);
  const packed = deflateRawSync(JSON.stringify(columns)).toString('base64');
  return JSON.stringify({ ...plan, nodes: { count: plan.nodes.length, packed } });
}

let lastRead: { readonly text: string; readonly plan: JobPlan } | undefined;

/** The plan that a value of PLAN has; the same one for the same text, which a process meets several times. Throws when it has none. */
export function parsePlan(text: string): JobPlan {
  if (lastRead?.text === text) return lastRead.plan;
  const value: unknown = JSON.parse(text);
  const packed = packedSchema.safeParse(value);
  const plan = jobPlanSchema.parse(packed.success ? { ...packed.data, nodes: unpack(packed.data) } : value);
  lastRead = { text, plan };
  return plan;
}

/** Undefined when a node has not all that follows from its place. */
function columnsOf({ nodes, network }: JobPlan): Columns | undefined {
  const columns: Columns = { hosts: [], addresses: [], slots: [] };
  for (const [place, node] of nodes.entries()) {
    const { index, ip, mac } = placeIn(network.cidr, place);
    if (node.index !== index || node.ip !== ip || node.mac !== mac) return undefined;
    columns.hosts.push(node.host);
    columns.addresses.push(node.hostAddress ?? '');
    columns.slots.push(node.slots);
  }
  return columns;
}

function unpack({ network, nodes }: z.infer<typeof packedSchema>): PlannedNode[] {
  const bytes = inflateRawSync(Buffer.from(nodes.packed, 'base64'), { maxOutputLength: mostUnpackedBytes });
  const { hosts, addresses, slots } = parseJsonAs(columnsSchema, bytes.toString());
  if ([hosts, addresses, slots].some(({ length }) => length !== nodes.count))
    throw new JobError({ code: 'PLAN_UNREADABLE', message: 'The plan does not have as many nodes as it says.' });
  return hosts.map((host, place) => {
    const { index, ip, mac } = placeIn(network.cidr, place);
    const address = addresses[place] ?? '';
    return { index, host, ...(address === '' ? {} : { hostAddress: address }), slots: slots[place] ?? 0, ip, mac };
  });
}

function placeIn(cidr: string, index: number): Pick<PlannedNode, 'index' | 'ip' | 'mac'> {
  const ip = hostAddress(cidr, index);
  return { index, ip, mac: macOf(ip) };
}
