import type { Lease, Store } from '../../ports/store.ts';
import { keyOnly } from '../../contract/kvs-keys.ts';

/** A key to be created; its value must hold a token that only this claimer can have written. */
export interface KeyClaim {
  readonly key: string;
  readonly value: string;
  readonly lease?: Lease;
}

/**
 * Creates the key if it is absent. True when it now holds exactly this value: a retried create can meet its own
 * success, so a refusal counts only after a look at who holds the key.
 */
export async function claimKey(store: Store, claim: KeyClaim): Promise<boolean> {
  const { key, value } = claim;
  if (await store.commit({ conditions: [{ kind: 'absent', key }], puts: [claim] })) return true;
  const [entry] = await store.read(keyOnly(key));
  return entry?.value === value;
}
