import { EtcdLeaseInvalidError, EtcdPermissionDeniedError, GRPCDeadlineExceededError } from 'etcd3';
import { JobError } from '../values/errors.ts';
import { oneLine } from '../values/one-line.ts';

interface Reason {
  readonly text: string;
  readonly kind: 'network' | 'tls' | 'refused' | 'busy' | 'other';
}

/** What the texts of gRPC, TLS and the resolver mean; the first that fits counts. */
const meanings: readonly (readonly [RegExp, Reason['kind'], string])[] = [
  [/ECONNREFUSED/, 'network', 'connection refused'],
  [/EHOSTUNREACH|ENETUNREACH|ETIMEDOUT/, 'network', 'no way to the host'],
  [/ENOTFOUND|EAI_AGAIN|Name resolution failed/, 'network', 'the host name is not known'],
  [
    /unable to verify|self[- ]signed|unable to get (local )?issuer/i,
    'tls',
    'its certificate is not from the configured authority',
  ],
  [/altnames|does not match certificate/i, 'tls', 'its certificate is for another name'],
  [/certificate has expired|not yet valid/i, 'tls', 'its certificate is not valid today'],
  [/alert|bad certificate|unknown ca|certificate required/i, 'tls', "it did not accept this host's certificate"],
  [/EPROTO|wrong version number|packet length/i, 'tls', 'it does not speak TLS'],
  [/ECONNRESET|EPIPE|socket (hang up|disconnected)|closed|dropped/i, 'network', 'connection closed'],
  [/too many requests/, 'busy', 'it has too many requests in hand'],
  [/no leader|leader changed|request timed out/, 'other', 'it has no leader: most of its members are away'],
];

const hints: Record<Reason['kind'], string> = {
  network: 'See that etcd runs there and that a firewall lets this host in (etcd.endpoints in site.yaml).',
  tls: 'See etcd.caFile, etcd.certFile and etcd.keyFile in site.yaml, and the names in the certificate of etcd.',
  refused: 'Give the user of etcd.certFile the right to read and write below site.keyPrefix.',
  busy: 'Try again later.',
  other: 'See the log of etcd; most of its members must be up.',
};

/** Why a call to etcd failed, in plain words. */
export function reasonOf(error: unknown): Reason {
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof GRPCDeadlineExceededError) return deadlineReason(text);
  if (error instanceof EtcdPermissionDeniedError) return { kind: 'refused', text: 'permission denied' };
  const known = meanings.find(([pattern]) => pattern.test(text));
  if (known !== undefined) return { kind: known[1], text: known[2] };
  return { kind: 'other', text: oneLine(text.replace(/^\w+: /, ''), 200) };
}

/** The deadline hides why no connection came about; gRPC names the last trouble of it, if there was one. */
function deadlineReason(text: string): Reason {
  const known = meanings.slice(0, 8).find(([pattern]) => pattern.test(text));
  return known === undefined ? { kind: 'network', text: 'no answer in time' } : { kind: known[1], text: known[2] };
}

/** The store could not be reached: names each endpoint that was tried with its last reason. */
export function storeUnreachable(failures: ReadonlyMap<string, unknown>): JobError {
  const reasons = [...failures].map(([endpoint, error]) => ({ endpoint, error, ...reasonOf(error) }));
  const list = reasons.map(({ endpoint, text }) => `${endpoint} (${text})`).join(', ');
  return new JobError({
    code: 'STORE_UNREACHABLE',
    message: `Could not reach the key-value store: ${list}.`,
    hint: hints[reasons[0]?.kind ?? 'other'],
    cause: reasons[0]?.error,
  });
}

/** etcd's quota is used up (alarm NOSPACE): it refuses what would write, and still deletes, reads and renews leases. */
export function isStoreFull(error: unknown): boolean {
  return error instanceof Error && error.message.includes('database space exceeded');
}

/** What an operator does about it stands in the runbook. */
export function storeFull(endpoint: string, cause: unknown): JobError {
  return new JobError({
    code: 'STORE_FULL',
    message: `The key-value store at ${endpoint} is full and refuses writes (etcd's alarm NOSPACE).`,
    hint: 'Administrators: etcdctl compact, defrag, alarm disarm; see "The store is full" in the runbook. Until then jobs run on one host only.',
    cause,
  });
}

/** A failure that trying again will not cure. */
export function storeRefused(endpoint: string, error: unknown): JobError {
  if (error instanceof EtcdLeaseInvalidError) {
    return new JobError({ code: 'LEASE_LOST', message: 'The lease in the key-value store has ended.', cause: error });
  }
  if (error instanceof EtcdPermissionDeniedError) return storeUnreachable(new Map([[endpoint, error]]));
  if (isStoreFull(error)) return storeFull(endpoint, error);
  return new JobError({
    code: 'BUG',
    message: `The key-value store at ${endpoint} refused a request: ${reasonOf(error).text}.`,
    cause: error,
  });
}

/** Someone used the store after `close`. */
export function storeClosed(): JobError {
  return new JobError({ code: 'STORE_UNREACHABLE', message: 'The connection to the key-value store is closed.' });
}
