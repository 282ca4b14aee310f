import { JobError } from '../values/errors.ts';
import type { KeyRange } from '../contract/kvs-keys.ts';
import { pause, unlessAborted } from './deadline.ts';

/** A key as it was read; the store port's entry has this shape. */
export interface StateEntry {
  readonly key: string;
  readonly value: string;
}

/** What is new: all that there is, or what has come or changed since the last look while nothing went. */
export interface StateNews {
  readonly isWhole: boolean;
  readonly entries: readonly StateEntry[];
}

/** What is needed of a store to wait on it; the store's port fits. */
export interface WatchableStore {
  read(range: KeyRange): Promise<readonly StateEntry[]>;
  follow?(range: KeyRange, lookAgain: () => void): { read(): Promise<StateNews>; close(): Promise<void> };
  watch(range: KeyRange, lookAgain: () => void): { close(): Promise<void> };
}

export interface AwaitStateOptions {
  /** From now; without it only `signal` ends the wait. */
  readonly deadlineMs?: number | undefined;
  /** Its abort rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** The state is read at least this often, whatever the watch says. */
  readonly slowTimerMs?: number;
  /** True: an unreachable store is waited for until the deadline. False: it rejects at once. */
  readonly tolerateOutage?: boolean;
}

/** The judge's value, or the state as it was last seen when the deadline passed. */
export type StateOutcome<T> =
  | { readonly kind: 'reached'; readonly value: T }
  | {
      readonly kind: 'timeout';
      /** Of the last read that succeeded; undefined when none did. */
      readonly entries: readonly StateEntry[] | undefined;
      /** Set when the store could not be reached at the end. */
      readonly outage: JobError | undefined;
    };

const shortestSpacingMs = 2;
const longestSpacingMs = 2000;
/** So few entries are read at no cost worth saving, and somebody waits for what they say. */
const fewEntries = 256;
/** Reading takes at most a quarter of the time. */
const spacingPerReadTime = 3;
const outagePauseMs = 500;

/**
 * Waits until `judge` finds a value in the keys of `range`: looks at the state on every hint of a watch and on a slow
 * timer, never at events. One read at a time; hints in between are merged, and the next read waits a multiple of what the
 * last one took, so that a thousand changes of a thousand keys do not cost a million. Where the store can, only what is
 * new is fetched: `judge` is given all entries, in no order, and what is new since it was asked last.
 * What `judge` throws ends the wait. It may be called many times with the same state.
 */
export async function awaitState<T>(
  store: WatchableStore,
  range: KeyRange,
  judge: (entries: readonly StateEntry[], news: StateNews) => T | undefined,
  options: AwaitStateOptions = {},
): Promise<StateOutcome<T>> {
  const { deadlineMs, signal, slowTimerMs = 10_000, tolerateOutage = true } = options;
  signal?.throwIfAborted();
  const timeUp = new AbortController();
  const timer = deadlineMs === undefined ? undefined : setTimeout(() => timeUp.abort(), deadlineMs);
  const over = signal === undefined ? timeUp.signal : AbortSignal.any([signal, timeUp.signal]);
  const bell = new Bell();
  const ring = (): void => bell.ring();
  const follower = store.follow?.(range, ring) ?? followWhole(store, range, ring);
  const known = new Map<string, StateEntry>();
  let entries: readonly StateEntry[] | undefined;
  let outage: JobError | undefined;
  try {
    while (!over.aborted) {
      const startedAt = performance.now();
      bell.quiet();
      let news: StateNews | undefined;
      try {
        news = await unlessAborted(over, follower.read());
        if (news === undefined) break;
        outage = undefined;
      } catch (error) {
        if (!tolerateOutage || !(error instanceof JobError) || error.code !== 'STORE_UNREACHABLE') throw error;
        outage = error;
        await pause(outagePauseMs, { signal: over });
        continue;
      }
      if (news.isWhole) known.clear();
      for (const entry of news.entries) known.set(entry.key, entry);
      entries = [...known.values()];
      const value = judge(entries, news);
      if (value !== undefined) return { kind: 'reached', value };
      await pause(spacingMs(entries.length, performance.now() - startedAt), { signal: over });
      await bell.wait(slowTimerMs, over);
    }
  } finally {
    clearTimeout(timer);
    await follower.close();
  }
  signal?.throwIfAborted();
  return { kind: 'timeout', entries, outage };
}

function followWhole(
  store: WatchableStore,
  range: KeyRange,
  lookAgain: () => void,
): ReturnType<NonNullable<WatchableStore['follow']>> {
  const watch = store.watch(range, lookAgain);
  return {
    read: async () => ({ isWhole: true, entries: await store.read(range) }),
    close: async () => await watch.close(),
  };
}

function spacingMs(entryCount: number, tookMs: number): number {
  if (entryCount <= fewEntries) return shortestSpacingMs;
  return Math.min(longestSpacingMs, Math.max(shortestSpacingMs, spacingPerReadTime * tookMs));
}

/** Remembers one ring until it is waited for. */
class Bell {
  #hasRung = false;
  #awake = new AbortController();

  ring(): void {
    this.#hasRung = true;
    this.#awake.abort();
  }

  quiet(): void {
    this.#hasRung = false;
    this.#awake = new AbortController();
  }

  async wait(mostMs: number, over: AbortSignal): Promise<void> {
    if (!this.#hasRung) await pause(mostMs, { signal: AbortSignal.any([over, this.#awake.signal]) });
  }
}
