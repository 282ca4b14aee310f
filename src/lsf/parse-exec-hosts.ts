import { hostNameSchema } from '../contract/job-request.ts';

/**
 * Hosts with their slots out of what bjobs shows as EXEC_HOST: `node2:node1:node1`, or in short `node2:2*node1`.
 * Undefined for a text of no such form, and for none at all (`-`).
 */
export function parseExecHosts(text: string): ReadonlyMap<string, number> | undefined {
  const slots = new Map<string, number>();
  for (const part of text.trim().split(':')) {
    const [, count, name] = /^(?:([1-9][0-9]{0,4})\*)?(\S+)$/.exec(part) ?? [];
    if (name === undefined || !hostNameSchema.safeParse(name).success) return undefined;
    slots.set(name, (slots.get(name) ?? 0) + Number(count ?? 1));
  }
  return slots;
}
