import { JobError } from '../values/errors.ts';
import { hostNameSchema } from '../contract/job-request.ts';

/** A host with its slots; the port's allocated host has this shape. */
interface HostSlots {
  readonly name: string;
  readonly slots: number;
}

/** As Slurm's and Docker's own limits: no job has more hosts than this. */
const maxHosts = 65_536;

/**
 * One entry for each host, in the order in which they appear first, its slots added up. `variable` and `label`
 * say in messages where the entries come from. Fails with `ALLOCATION_INVALID`.
 */
export function mergeSlots(variable: string, label: string, entries: readonly HostSlots[]): readonly HostSlots[] {
  const hosts = new Map<string, HostSlots>();
  for (const entry of entries) {
    if (!hostNameSchema.safeParse(entry.name).success)
      throw invalidAllocation(label, `${variable} names ${quote(entry.name)}, which is no host name`);
    const known = hosts.get(entry.name);
    hosts.set(entry.name, known === undefined ? entry : { name: entry.name, slots: known.slots + entry.slots });
  }
  if (hosts.size === 0) throw invalidAllocation(label, `${variable} names no host`);
  if (hosts.size > maxHosts) throw invalidAllocation(label, `${variable} names more than ${maxHosts} hosts`);
  return [...hosts.values()];
}

/** What a user sees of a value that cannot be used. */
export function quote(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}

/** The scheduler's variables say nothing that can be used, and why. */
export function invalidAllocation(label: string, reason: string, hint?: string): JobError {
  return new JobError({
    code: 'ALLOCATION_INVALID',
    message: `The job's allocation cannot be read: ${reason}.`,
    hint: hint ?? `${label} sets these variables; a batch script must not change them.`,
  });
}
