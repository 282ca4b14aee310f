import type { IKeyValue, IRangeResponse } from 'etcd3';
import type { KeyRange } from '../contract/kvs-keys.ts';
import type { Follower, Reading, StoreEntry } from '../ports/store.ts';
import { callStore } from './call-store.ts';
import type { EndpointRing } from './endpoint-ring.ts';
import { watchRange } from './watch-range.ts';
import type { WatchNews } from './watch-range.ts';

export function toEntry(pair: IKeyValue): StoreEntry {
  return { key: pair.key.toString(), value: pair.value.toString() };
}

/**
 * Follows a range: says "look again" as a watch does, and reads what is new. What an unbroken watch has brought since a reading that
 * began when the watch stood need not be fetched: from there on it brings every change, in order. In all other cases, and when it has brought nothing,
 * the store is read.
 */
export function followRange(
  ring: EndpointRing,
  callTimeoutMs: number,
  range: KeyRange,
  lookAgain: () => void,
): Follower {
  const view = new RangeView(ring, callTimeoutMs, range);
  /** Counts the streams that have stood; those that have broken do not stand. */
  let streams = 0;
  let stands = false;
  /** The stream on which `heard` is complete since the view's revision. */
  let completeOn: number | undefined;
  let heard: WatchNews['changes'][number][] = [];
  const watch = watchRange(ring, callTimeoutMs, range, (news) => {
    if (news === 'stands') {
      stands = true;
      streams += 1;
    } else if (news === 'broken') stands = false;
    if (typeof news === 'string') heard = [];
    else for (const change of news.changes) heard.push(change);
    lookAgain();
  });
  return {
    read: async () => {
      const isComplete = stands && completeOn === streams;
      const taken = heard;
      heard = [];
      const told = isComplete ? view.apply(taken) : undefined;
      if (told !== undefined) return told;
      const stream = stands ? streams : undefined;
      completeOn = undefined; // what was heard is given up, also when the store does not answer
      const reading = await view.fetch();
      completeOn = stream;
      return reading;
    },
    close: async () => await watch.close(),
  };
}

/** A range as it was at one revision. */
class RangeView {
  private readonly ring: EndpointRing;
  private readonly callTimeoutMs: number;
  private readonly range: { readonly key: Buffer; readonly range_end: Buffer };
  private readonly keys = new Set<string>();
  private revision: bigint | undefined;

  constructor(ring: EndpointRing, callTimeoutMs: number, { start, end }: KeyRange) {
    this.ring = ring;
    this.callTimeoutMs = callTimeoutMs;
    this.range = { key: Buffer.from(start), range_end: Buffer.from(end) };
  }

  /** Goes on by these changes; undefined when there is none that is new, or a key is gone: then the store must be read. */
  apply(changes: WatchNews['changes']): Reading | undefined {
    const from = this.revision;
    const fresh = changes.filter(({ revision }) => from !== undefined && revision > from);
    const last = fresh.at(-1);
    if (last === undefined || fresh.some(({ isGone }) => isGone)) return undefined;
    this.revision = last.revision;
    for (const { entry } of fresh) this.keys.add(entry.key);
    return { isWhole: false, entries: fresh.map(({ entry }) => entry) };
  }

  /** Reads what has a newer revision, or everything. Fails as `callStore` does. */
  async fetch(): Promise<Reading> {
    return (
      (this.revision === undefined ? undefined : await this.fetchChanges(this.revision)) ?? (await this.fetchAll())
    );
  }

  private async fetchAll(): Promise<Reading> {
    const { header, kvs } = await callStore(this.ring, this.callTimeoutMs, (client, limits) =>
      client.kv.range(this.range, limits),
    );
    const entries = kvs.map(toEntry);
    this.revision = BigInt(header.revision);
    this.keys.clear();
    for (const { key } of entries) this.keys.add(key);
    return { isWhole: true, entries };
  }

  /**
   * With the changes comes, of the same revision, the number of keys. Undefined when it shows that one is gone, or when the
   * store has gone back in time.
   */
  private async fetchChanges(since: bigint): Promise<Reading | undefined> {
    const request = {
      compare: [],
      success: [
        { request_range: { ...this.range, count_only: true } },
        { request_range: { ...this.range, min_mod_revision: String(since + 1n) } },
      ],
      failure: [],
    };
    const answer = await callStore(this.ring, this.callTimeoutMs, (client, limits) => client.kv.txn(request, limits));
    const [counted, changed] = answer.responses.map(({ response_range }): IRangeResponse => response_range);
    const now = BigInt(answer.header.revision);
    if (counted === undefined || changed === undefined || now < since) return undefined;
    const entries = changed.kvs.map(toEntry);
    for (const { key } of entries) this.keys.add(key);
    if (BigInt(counted.count) !== BigInt(this.keys.size)) return undefined;
    this.revision = now;
    return { isWhole: false, entries };
  }
}
