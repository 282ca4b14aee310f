import { statfs } from 'node:fs/promises';
import type { SiteConfig } from '../../config/site-schema.ts';
import type { StartedContainer } from '../../ports/container-engine.ts';
import { formatBytes } from '../../values/format-bytes.ts';
import { JobError } from '../../values/errors.ts';
import { lasts } from '../../system/deadline.ts';
import { measureRemovedFiles } from '../../system/measure-removed-files.ts';
import type { DiskUse } from '../../system/measure-tree.ts';
import { measureTree } from '../../system/measure-tree.ts';
import type { OwnNode } from './own-node.ts';

export type DiskBounds = SiteConfig['container']['writableLayer'];

/** Where a container writes, on its host. */
export interface WatchedLayer {
  readonly directory: string;
  /** The first process of the container. */
  readonly pid: number;
  /** Of the job's user. */
  readonly uid: number;
}

export interface DiskWatch extends Disposable {
  /** Rejects with `DISK_LIMIT` when the container has written more than it may; never resolves. */
  readonly exceeded: Promise<never>;
  isExceeded(): boolean;
}

/** How often the disk's free space is asked for, which costs two system calls. */
const lookEveryMs = 1000;
/** A measurement may take this part of one processor, and comes at least every `mostPauseMs`. */
const effort = 1 / 50;
const leastPauseMs = 2000;
const mostPauseMs = 60_000;
/** A fall of the free space by this part of the bound is looked into at once. */
const noticeable = 1 / 8;
/** A job that holds less than this part of its bound is not to blame for a full disk. */
const blameless = 1 / 16;

/**
 * Watches how much a container takes of the disk of the Docker Engine, which all containers and dockerd itself share. A
 * disk that cannot be looked at right now is looked at again a second later. `isSuspicious`: files without a name are
 * looked for from the first moment on, as nobody knows what has been written before.
 */
export function watchDisk(
  layer: WatchedLayer,
  bounds: DiskBounds,
  { isSuspicious = false }: { readonly isSuspicious?: boolean } = {},
): DiskWatch {
  const over = new AbortController();
  return followWatch(watchUntilExceeded(layer, bounds, isSuspicious, over.signal), () => over.abort());
}

/** The watch of a node's own container, where its image's file system can be written to. */
export function watchOwnDisk({ site, plan }: OwnNode, { pid, writableLayer }: StartedContainer): DiskWatch {
  const { readOnlyRoot, writableLayer: bounds } = site.container;
  if (readOnlyRoot) return followWatch(new Promise<never>(() => undefined));
  if (writableLayer === undefined) return followWatch(Promise.reject(cannotWatch()));
  return watchDisk({ directory: writableLayer, pid, uid: plan.user.uid }, bounds);
}

function followWatch(exceeded: Promise<never>, stop = (): void => undefined): DiskWatch {
  let isExceeded = false;
  exceeded.catch(() => (isExceeded = true));
  return { exceeded, isExceeded: () => isExceeded, [Symbol.dispose]: stop };
}

function cannotWatch(): JobError {
  return new JobError({
    code: 'HOST_UNFIT',
    message:
      'What a container writes into its image’s file system cannot be measured with the storage driver of this Docker Engine.',
    hint: 'Use overlay2, or set container.readOnlyRoot: true in site.yaml.',
  });
}

async function watchUntilExceeded(
  layer: WatchedLayer,
  bounds: DiskBounds,
  isSuspicious: boolean,
  over: AbortSignal,
): Promise<never> {
  let last = { freeBytes: Infinity, freeInodes: Infinity, at: -Infinity, pauseMs: leastPauseMs };
  let mostFreeBytes = isSuspicious ? Infinity : 0;
  for (;;) {
    const now = performance.now();
    const free = await readFree(layer.directory);
    if (free !== undefined) {
      const isLow = free.bytes < bounds.reserveBytes;
      const hasFallen =
        last.freeBytes - free.bytes > bounds.bytes * noticeable ||
        last.freeInodes - free.inodes > bounds.inodes * noticeable;
      mostFreeBytes = Math.max(mostFreeBytes, free.bytes);
      if (isLow || hasFallen || now - last.at > last.pauseMs) {
        const mayHide = mostFreeBytes - free.bytes > bounds.bytes * noticeable;
        const use = await measureLayer(layer, bounds, mayHide);
        if (use !== undefined) throwOnExcess(use, bounds, isLow);
        const pauseMs = Math.min(mostPauseMs, Math.max(leastPauseMs, (performance.now() - now) / effort));
        last = { freeBytes: free.bytes, freeInodes: free.inodes, at: now, pauseMs };
      }
    }
    if (!(await lasts(lookEveryMs, over, { keepsAlive: false }))) return await new Promise<never>(() => undefined);
  }
}

async function readFree(directory: string): Promise<DiskUse | undefined> {
  const found = await statfs(directory).catch(() => undefined);
  // A file system without inodes of its own, such as btrfs, says 0 of 0.
  return found && { bytes: found.bavail * found.bsize, inodes: found.files === 0 ? Infinity : found.ffree };
}

/** What the container holds by name and, if there is reason to ask, without one. Undefined when it cannot be seen now. */
async function measureLayer(
  { directory, pid, uid }: WatchedLayer,
  bounds: DiskBounds,
  mayHide: boolean,
): Promise<DiskUse | undefined> {
  const named = await measureTree(directory, bounds).catch(() => undefined);
  const removedBytes = mayHide ? await measureRemovedFiles(pid, uid).catch(() => 0) : 0;
  return named && { bytes: named.bytes + removedBytes, inodes: named.inodes };
}

/** Fails with `DISK_LIMIT` when a container has written more than it may, or much although the disk is nearly full. */
export function throwOnExcess(use: DiskUse, bounds: DiskBounds, isLow: boolean): void {
  const holds = `the container holds ${formatBytes(use.bytes)} in ${use.inodes === Infinity ? 'very deep directories' : `${use.inodes} files and directories`} that it wrote into its image's file system`;
  if (use.bytes > bounds.bytes || use.inodes > bounds.inodes)
    throw diskLimit(`${holds}; this site allows ${formatBytes(bounds.bytes)} and ${bounds.inodes} of them.`);
  if (isLow && use.bytes > bounds.bytes * blameless)
    throw diskLimit(
      `${holds}, and the disk of the Docker Engine has less than ${formatBytes(bounds.reserveBytes)} left.`,
    );
}

function diskLimit(message: string): JobError {
  return new JobError({
    code: 'DISK_LIMIT',
    message,
    hint: 'Write into the working directory or, small files, into /tmp. (Administrators: container.writableLayer in site.yaml.)',
  });
}
