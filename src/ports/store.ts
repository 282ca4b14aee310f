import type { KeyRange } from '../contract/kvs-keys.ts';

/** One key with its value. */
export interface StoreEntry {
  readonly key: string;
  readonly value: string;
}

/** What must hold for a transaction to be carried out. */
export type Condition =
  | { readonly kind: 'absent'; readonly key: string }
  | { readonly kind: 'present'; readonly key: string }
  | { readonly kind: 'value'; readonly key: string; readonly equals: string };

export interface Put {
  readonly key: string;
  readonly value: string;
  /** The key disappears when this lease ends. */
  readonly lease?: Lease;
}

/** All or nothing: conditions, then puts and deletes at one revision. At most 128 operations and 1.5 MiB. */
export interface Transaction {
  readonly conditions?: readonly Condition[];
  readonly puts?: readonly Put[];
  readonly deletes?: readonly KeyRange[];
}

/** A lease that keeps itself alive until `revoke`. */
export interface Lease {
  readonly id: string;
  /** Aborts when the store says that the lease has ended, never because the store cannot be reached. */
  readonly lost: AbortSignal;
  /** Ends the lease and with it its keys; succeeds when it is gone already. */
  revoke(): Promise<void>;
}

/** How much room the store has. */
export interface StoreHealth {
  /** What its data takes on disk, history included. */
  readonly bytes: number;
  /** It refuses writes until an operator has made room. */
  readonly isFull: boolean;
}

/** What a reader has found. */
export interface Reading {
  /** True: `entries` are all that there are. False: they are those that are new or changed since the last reading; none is gone. */
  readonly isWhole: boolean;
  readonly entries: readonly StoreEntry[];
}

/** Says "look again" until closed. */
export interface Watch {
  close(): Promise<void>;
}

/** A watch of a range that reads it, one reading at a time, and does not fetch again what it has told. Fails as `read` does. */
export interface Follower extends Watch {
  /** The state is the store's, or was when the watch last gave a hint; with no hint since the last reading, the store's. */
  read(): Promise<Reading>;
}

/**
 * The key-value store of the site, as the phases of a job need it.
 *
 * Every call has a deadline of its own, two to three times site.yaml's `etcd.callTimeoutMs` (one try) so that it
 * outlives the election of a leader, and fails with `STORE_UNREACHABLE`. A retried transaction may have been carried out although an earlier try failed: its
 * caller must be able to recognise its own success (owner token in the value, read back).
 * A store that is full fails with `STORE_FULL` at once, for transactions with puts and for new leases; all else goes on.
 */
export interface Store {
  /** Entries of the range in key order, all at one revision; linearizable. */
  read(range: KeyRange): Promise<readonly StoreEntry[]>;
  /** True when the conditions held and the transaction was carried out. */
  commit(transaction: Transaction): Promise<boolean>;
  grantLease(ttlSeconds: number): Promise<Lease>;
  /**
   * Calls `lookAgain` after any change in the range, after a reconnect and after any trouble of the watch.
   * Hints may be merged, repeated or needless, and one may be lost in a fault: so a caller reads the state on
   * each hint and also on a slow timer (see `awaitState`).
   */
  watch(range: KeyRange, lookAgain: () => void): Watch;
  /** A watch that reads, too; absent where reading all of a range again costs nothing worth saving. */
  follow?(range: KeyRange, lookAgain: () => void): Follower;
  /** Keys alone, where values may be many. */
  listKeys?(range: KeyRange): Promise<readonly string[]>;
  /** Of a store that can run out of room. */
  health?(): Promise<StoreHealth>;
  close(): Promise<void>;
}
