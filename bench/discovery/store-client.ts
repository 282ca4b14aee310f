import { connectEtcd } from '../../src/etcd/connect-etcd.ts';
import type { Store } from '../../src/ports/store.ts';
import type { StoreAddress } from './messages.ts';

/** Thousands of clients share a thread here: what is milliseconds for one of them is seconds for all. */
const patience = { callTimeoutMs: 300_000, keepalive: { everyMs: 300_000, timeoutMs: 300_000 } };

/** A connection of its own, as every helper has one. */
export function connectClient({ endpoint, ca, cert, key }: StoreAddress): Store {
  const [caBytes, certBytes, keyBytes] = [ca, cert, key].map((text) => Buffer.from(text));
  return connectEtcd({ endpoints: [endpoint], ca: caBytes!, cert: certBytes!, key: keyBytes!, ...patience });
}
