import type { Store } from '../ports/store.ts';
import { checkTransaction } from '../contract/check-transaction.ts';
import { JobError } from '../values/errors.ts';
import { callStore } from './call-store.ts';
import { EndpointRing } from './endpoint-ring.ts';
import type { Keepalive, TlsIdentity } from './endpoint-ring.ts';
import { grantLease } from './keep-lease.ts';
import { followRange, toEntry } from './follow-range.ts';
import { toTxnRequest } from './to-txn-request.ts';
import { watchRange } from './watch-range.ts';

export interface EtcdOptions extends TlsIdentity {
  /** `https://host:port`, one per member; the certificate of each must name the host written here. */
  readonly endpoints: readonly string[];
  /** Deadline of one try. A call is given up after two to three times this, as `callStore` says. */
  readonly callTimeoutMs: number;
  /** Default: as suits one process. */
  readonly keepalive?: Keepalive;
}

/** The site's etcd by mutual TLS. Connects on the first call; `close` ends every watch and renewal, not the leases. */
export function connectEtcd(options: EtcdOptions): Store {
  const { callTimeoutMs } = options;
  const ring = new EndpointRing(options.endpoints.map(checkEndpoint), options, options.keepalive);
  return {
    read: async ({ start, end }) => {
      const request = { key: Buffer.from(start), range_end: Buffer.from(end) };
      const { kvs } = await callStore(ring, callTimeoutMs, (client, limits) => client.kv.range(request, limits));
      return kvs.map(toEntry);
    },
    commit: async (transaction) => {
      checkTransaction(transaction);
      const request = toTxnRequest(transaction);
      const { succeeded } = await callStore(ring, callTimeoutMs, (client, limits) => client.kv.txn(request, limits));
      return succeeded;
    },
    grantLease: (ttlSeconds) => grantLease(ring, callTimeoutMs, ttlSeconds),
    listKeys: async ({ start, end }) => {
      const request = { key: Buffer.from(start), range_end: Buffer.from(end), keys_only: true };
      const { kvs } = await callStore(ring, callTimeoutMs, (client, limits) => client.kv.range(request, limits));
      return kvs.map(({ key }) => key.toString());
    },
    health: async () => {
      const [{ dbSize }, { alarms }] = await Promise.all([
        callStore(ring, callTimeoutMs, (client, limits) => client.maintenance.status(limits)),
        callStore(ring, callTimeoutMs, (client, limits) => client.maintenance.alarm({}, limits)),
      ]);
      return {
        bytes: Number(dbSize),
        isFull: alarms.some(({ alarm }) => alarm === 'Nospace' || /nospace/i.test(alarm)),
      };
    },
    watch: (range, lookAgain) => watchRange(ring, callTimeoutMs, range, () => lookAgain()),
    follow: (range, lookAgain) => followRange(ring, callTimeoutMs, range, lookAgain),
    close: () => {
      ring.close();
      return Promise.resolve();
    },
  };
}

/** `https://host:port` without path or credentials; the port may be left out. */
function checkEndpoint(endpoint: string): string {
  const url = URL.parse(endpoint);
  const rest = url === null ? '' : url.username + url.password + url.search + url.hash + url.pathname.replace('/', '');
  if (url?.protocol !== 'https:' || url.hostname === '' || rest !== '') {
    throw new JobError({
      code: 'CONFIG_INVALID',
      message: `etcd.endpoints: expected an address like https://etcd1:2379, got "${endpoint}".`,
      hint: 'etcd is used over TLS only.',
    });
  }
  return `https://${url.hostname}:${url.port === '' ? 2379 : url.port}`;
}
