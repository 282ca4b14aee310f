import type { Writable } from 'node:stream';
import { lasts } from '../system/deadline.ts';
import { flushOutput } from '../system/flush-output.ts';

/** What can be seen of the output on its way through the launcher. */
export interface DeliveryView {
  /** Another text whenever a byte has moved; may take as long as the file system takes. */
  progress(): Promise<string>;
  /** True while bytes wait for whoever reads this program's output. */
  isReaderBehind(): boolean;
}

/** How long nothing may move. */
export interface DeliveryLimits {
  /** While nothing waits for the reader: then it is the launcher that stands still. */
  readonly launcherMs: number;
  /** While bytes wait for the reader, who may be looking at a page. */
  readonly readerMs: number;
}

/** `ended`: the launcher has. `dead`: it has nothing to deliver and does not end. `unread`: nobody reads what waits. */
export type DeliveryEnd = 'ended' | 'dead' | 'unread';

const lookEveryMs = 250;

/** Of a reader who stands still: someone may be reading a page, but not for ever. */
export const readerStillMs = 600_000;

/**
 * Waits until the launcher has delivered the last of the output and ended, for as long as bytes move. Looks are counted,
 * not time: while this process is suspended nothing can move.
 */
export async function awaitDelivery(
  ended: Promise<unknown>,
  view: DeliveryView,
  { launcherMs, readerMs }: DeliveryLimits,
): Promise<DeliveryEnd> {
  const over = ended.then(() => true as const);
  let seen: string | undefined;
  let stillMs = 0;
  for (;;) {
    const startedAt = performance.now();
    const wait = new AbortController();
    const next = lasts(lookEveryMs, wait.signal).then(async (isDue) => (isDue ? await view.progress() : undefined));
    next.catch(() => undefined);
    const now = await Promise.race([over, next]);
    wait.abort();
    if (now === true) return 'ended';
    const wasFrozen = performance.now() - startedAt > 4 * lookEveryMs;
    stillMs = now !== seen || wasFrozen ? 0 : stillMs + lookEveryMs;
    seen = now;
    const isBehind = view.isReaderBehind();
    if (stillMs >= (isBehind ? readerMs : launcherMs)) return isBehind ? 'unread' : 'dead';
  }
}

/** Waits until these streams have given all that they hold to their readers, for as long as one of them takes any. */
export async function flushWhileRead(...streams: readonly Writable[]): Promise<DeliveryEnd> {
  const view = {
    progress: async () => await Promise.resolve(streams.map(({ writableLength }) => writableLength).join()),
    isReaderBehind: () => true,
  };
  const limits = { launcherMs: readerStillMs, readerMs: readerStillMs };
  return await awaitDelivery(Promise.all(streams.map(flushOutput)), view, limits);
}
