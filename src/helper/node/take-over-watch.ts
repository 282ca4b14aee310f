import * as z from 'zod';
import type { JobKey } from '../../contract/job-key.ts';
import { pause, within } from '../../system/deadline.ts';
import { signalProcess } from '../../system/signal-process.ts';
import { asJobError } from '../../values/errors.ts';
import { readProcess } from '../host/read-process.ts';
import type { HelperContext } from '../open-context.ts';
import { endRootHolders } from '../release/end-root-holders.ts';
import { watchDisk } from './watch-disk.ts';

/** A container and its writable layer, as run-node hands them on in case that it cannot watch any more. */
export const abandonedLayerSchema = z.strictObject({
  job: z.string().transform((text) => text as JobKey),
  uid: z.number(),
  directory: z.string(),
  /** The first process of the container, and when it began. */
  pid: z.number(),
  startTicks: z.string(),
  root: z.strictObject({ id: z.string(), device: z.number() }),
  bounds: z.strictObject({ bytes: z.number(), inodes: z.number(), reserveBytes: z.number() }),
});
export type AbandonedLayer = z.output<typeof abandonedLayerSchema>;

/** Words of an error, from one program to the other. */
export const excessSchema = z.strictObject({ code: z.string(), message: z.string(), hint: z.string().optional() });
export type Excess = z.output<typeof excessSchema>;

/** A container that may not run yet, as run-node names it before it has it started. */
export const abandonedContainerSchema = abandonedLayerSchema
  .pick({ job: true, uid: true, bounds: true })
  .extend({ name: z.string(), token: z.string() });
export type AbandonedContainer = z.output<typeof abandonedContainerSchema>;

const lookEveryMs = 500;

/**
 * Watches the layer for as long as its container lives, and kills that when it holds more than it may, once `tell` has
 * been called with the reason. Resolves when the container is gone, and no process of the user's on the host keeps files
 * of it open.
 */
export async function takeOverWatch(
  layer: AbandonedLayer,
  audit: HelperContext['audit'],
  tell: (excess: Excess) => void,
): Promise<void> {
  const { job, uid, pid, root, bounds } = layer;
  audit.record('disk-watch-taken-over', { job });
  using watch = watchDisk(layer, bounds, { isSuspicious: true });
  const exceeded = watch.exceeded.catch((error: unknown) => asJobError(error));
  let excess: Awaited<typeof exceeded> | undefined;
  while (await isThere(layer)) {
    excess ??= await within(lookEveryMs, exceeded, undefined);
    if (excess === undefined) continue;
    const { code, message, hint } = excess;
    tell({ code, message, ...(hint === undefined ? {} : { hint }) });
    audit.record('disk-exceeded', { job, killedPid: pid, message });
    while (await isThere(layer)) {
      signalProcess({ pid, since: layer.startTicks }, { uid }); // with it ends all in the container; one that is frozen ends when it goes on
      await pause(lookEveryMs);
    }
  }
  await endRootHolders({ audit }, job, [{ uid, root }]);
}

async function isThere({ pid, startTicks }: AbandonedLayer): Promise<boolean> {
  const found = await readProcess(pid);
  return found?.startTicks === startTicks && found.state !== 'Z';
}
