import * as z from 'zod';

/**
 * What the container of one node has used until its job's end, as its cgroup counted it; the value of the node's USAGE key. A number
 * that the kernel did not tell is missing.
 */
export const nodeUsageSchema = z.strictObject({
  /** CPU time of all its processes, those that have ended included. */
  cpuSeconds: z.number().nonnegative().optional(),
  /** The most memory in use at one time, file cache included. */
  peakMemoryBytes: z.number().int().nonnegative().optional(),
});
export type NodeUsage = z.infer<typeof nodeUsageSchema>;
