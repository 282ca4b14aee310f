import type { IEvent, IWatchRequest, IWatchResponse } from 'etcd3';
import type { StoreEntry, Watch } from '../ports/store.ts';
import type { KeyRange } from '../contract/kvs-keys.ts';
import { pauseMs } from './call-store.ts';
import type { EndpointRing, Visit } from './endpoint-ring.ts';
import { pause } from '../system/deadline.ts';

const maxPauseMs = 2000;

/** The part of etcd3's watch stream that is used here. */
interface WatchStream {
  on(event: 'data', listener: (response: IWatchResponse) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  write(request: IWatchRequest): void;
  cancel(): void;
}

/** What a watch has brought, in order; nothing of a revision is left out. */
export interface WatchNews {
  readonly changes: readonly {
    readonly entry: StoreEntry;
    readonly isGone: boolean;
    readonly revision: bigint;
  }[];
}

/**
 * Calls `lookAgain` once the watch stands, after each change, and after each end of the stream, which is opened again
 * with back-off until `close`. It never resumes at a revision: the caller reads the state anyway, so neither
 * a compaction nor events lost in a reconnect matter. (etcd3's own watcher loses events and can die silently.)
 */
export function watchRange(
  ring: EndpointRing,
  callTimeoutMs: number,
  range: KeyRange,
  lookAgain: (news: WatchNews | 'stands' | 'broken') => void,
): Watch {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ring.closed]);
  const hint: Watching['hint'] = (news) => {
    if (!signal.aborted) lookAgain(news);
  };
  const ended = keepWatching(signal, { ring, callTimeoutMs, range, hint });
  return {
    close: async () => {
      stop.abort();
      await ended;
    },
  };
}

interface Watching {
  readonly ring: EndpointRing;
  readonly callTimeoutMs: number;
  readonly range: KeyRange;
  readonly hint: (news: WatchNews | 'stands' | 'broken') => void;
}

async function keepWatching(stop: AbortSignal, watching: Watching): Promise<void> {
  for (let failures = 0; !stop.aborted;) {
    const visit = watching.ring.current;
    const stood = await watchOnce(stop, visit, watching).catch(() => false);
    failures = stood ? 0 : failures + 1;
    // A stream that stood and broke may have missed something; one that never stood has nothing to say.
    if (stood) watching.hint('broken');
    else watching.ring.leave(visit);
    await pause(pauseMs(failures, maxPauseMs), { signal: stop });
  }
}

/** Watches until the stream ends for whatever reason; true when the store had confirmed the watch. */
async function watchOnce(stop: AbortSignal, visit: Visit, watching: Watching): Promise<boolean> {
  const over = AbortSignal.any([stop, visit.left]);
  const stream: WatchStream = await visit.client.watchClient.watch();
  let stands = false;
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve) => {
      const end = (): void => resolve();
      timer = setTimeout(end, watching.callTimeoutMs);
      stream.on('end', end);
      stream.on('error', end); // stays attached: cancel() below makes the stream emit one
      stream.on('data', (response) => {
        // After a compaction, or when this host may not read the range.
        if (response.canceled) {
          end();
          return;
        }
        if (response.created) {
          stands = true;
          clearTimeout(timer);
        }
        watching.hint(response.created ? 'stands' : { changes: response.events.map(toChange) });
      });
      over.addEventListener('abort', end, { once: true });
      if (over.aborted) end();
      else stream.write(createRequest(watching.range));
    });
  } finally {
    clearTimeout(timer);
    stream.cancel();
  }
  return stands;
}

function toChange({ type, kv }: IEvent): WatchNews['changes'][number] {
  const entry = { key: kv.key.toString(), value: kv.value.toString() };
  return { entry, isGone: type !== 'Put', revision: BigInt(kv.mod_revision) };
}

function createRequest({ start, end }: KeyRange): IWatchRequest {
  return { create_request: { key: Buffer.from(start), range_end: Buffer.from(end) } };
}
