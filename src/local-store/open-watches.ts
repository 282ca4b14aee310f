import type { KeyRange } from '../contract/kvs-keys.ts';
import type { Watch } from '../ports/store.ts';
import { pause } from '../system/deadline.ts';
import type { StoreServer } from './store-server.ts';

interface OpenWatch {
  readonly range: KeyRange;
  readonly lookAgain: () => void;
  /** Id of the request that set it up on the present connection. */
  id: number | undefined;
}

const reconnectPauseMs = 1000;

/** The watches of one client, set up again on every new connection. */
export class OpenWatches {
  readonly #server: Pick<StoreServer, 'ask' | 'takeId'>;
  readonly #watches = new Set<OpenWatch>();
  readonly #closed = new AbortController();
  #isSettingUp = false;

  constructor(server: Pick<StoreServer, 'ask' | 'takeId'>) {
    this.#server = server;
  }

  open(range: KeyRange, lookAgain: () => void): Watch {
    const watch: OpenWatch = { range, lookAgain, id: undefined };
    this.#watches.add(watch);
    void this.#setUp();
    return {
      close: async () => {
        this.#watches.delete(watch);
        // Without a connection there is nothing to take back.
        if (watch.id !== undefined)
          await this.#server.ask({ call: 'unwatch', watchId: watch.id }).catch(() => undefined);
      },
    };
  }

  hint(id: number): void {
    for (const watch of this.#watches) if (watch.id === id) watch.lookAgain();
  }

  /** The connection has gone: each watch that stood gives a hint, for what happened meanwhile, and is set up again. */
  renew(): void {
    for (const watch of this.#watches) {
      if (watch.id !== undefined) watch.lookAgain();
      watch.id = undefined;
    }
    void this.#setUp();
  }

  /** Forgets them all. */
  close(): void {
    this.#closed.abort();
    this.#watches.clear();
  }

  /** Sets up the watches that have none on this connection; tries until it has or none is open. */
  async #setUp(): Promise<void> {
    if (this.#isSettingUp) return;
    this.#isSettingUp = true;
    while (!this.#closed.signal.aborted) {
      const waiting = [...this.#watches].filter(({ id }) => id === undefined);
      if (waiting.length === 0) break;
      try {
        for (const watch of waiting) await this.#setUpOne(watch);
      } catch {
        for (const watch of waiting) watch.id = undefined;
        await pause(reconnectPauseMs, { signal: this.#closed.signal });
      }
    }
    this.#isSettingUp = false;
  }

  async #setUpOne(watch: OpenWatch): Promise<void> {
    watch.id = this.#server.takeId();
    await this.#server.ask({ call: 'watch', range: watch.range }, watch.id);
    // What happened before the watch stood gave no hint.
    if (this.#watches.has(watch)) watch.lookAgain();
  }
}
