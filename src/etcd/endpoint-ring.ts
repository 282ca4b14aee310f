import { randomInt } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { noop } from 'cockatiel';
import { Etcd3 } from 'etcd3';

/** PEM files' contents for mutual TLS. */
export interface TlsIdentity {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Pings by which a frozen member is noticed, milliseconds: one so often, and so long for its answer. */
export interface Keepalive {
  readonly everyMs: number;
  readonly timeoutMs: number;
}

/** A stay at one member of the store. */
export interface Visit {
  readonly endpoint: string;
  readonly client: Etcd3;
  /** Aborts when the ring has moved on: streams opened during this visit should be opened anew. */
  readonly left: AbortSignal;
}

/** Bytes; the default of 4 MB fails on the keys of a large job. */
const maxReceiveBytes = 64 * 1024 * 1024;

/** A member that froze is noticed by these even on a connection that only carries a watch. */
const usualKeepalive: Keepalive = { everyMs: 2000, timeoutMs: 1000 };

const channelOptions = {
  'grpc.max_receive_message_length': maxReceiveBytes,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 400,
  // What the environment says of proxies must not redirect a privileged program.
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
};

/**
 * One etcd3 client per member and the one in use. Stays with a member until `leave`, then takes the next:
 * etcd3's own pool picks at random on every call, and its circuit breakers open on healthy members.
 */
export class EndpointRing {
  readonly #clients: readonly { readonly endpoint: string; readonly client: Etcd3 }[];
  readonly #closed = new AbortController();
  #position: number;
  #current: Visit;
  #leave = new AbortController();

  constructor(endpoints: readonly string[], tls: TlsIdentity, keepalive: Keepalive = usualKeepalive) {
    setMaxListeners(0, this.#closed.signal);
    this.#clients = endpoints.map((endpoint) => ({ endpoint, client: openClient(endpoint, tls, keepalive) }));
    // Any start will do, but not the same for all hosts of a large job.
    this.#position = randomInt(endpoints.length);
    this.#current = this.#visit();
  }

  get current(): Visit {
    return this.#current;
  }

  /** Aborts with `close`. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Goes on to the next member; does nothing when another caller has left this visit already. */
  leave(visit: Visit): void {
    if (visit !== this.#current || this.closed.aborted) return;
    const over = this.#leave;
    this.#position = (this.#position + 1) % this.#clients.length;
    this.#current = this.#visit();
    over.abort();
  }

  close(): void {
    this.#closed.abort();
    this.#leave.abort();
    for (const { client } of this.#clients) client.close();
  }

  #visit(): Visit {
    this.#leave = new AbortController();
    setMaxListeners(0, this.#leave.signal);
    const member = this.#clients[this.#position];
    if (member === undefined) throw new RangeError('A ring needs at least one endpoint.');
    return { ...member, left: this.#leave.signal };
  }
}

function openClient(endpoint: string, tls: TlsIdentity, { everyMs, timeoutMs }: Keepalive): Etcd3 {
  return new Etcd3({
    hosts: endpoint,
    credentials: { rootCertificate: tls.ca, certChain: tls.cert, privateKey: tls.key },
    grpcOptions: {
      ...channelOptions,
      'grpc.keepalive_time_ms': everyMs,
      'grpc.keepalive_timeout_ms': timeoutMs,
    },
    faultHandling: { host: () => noop, global: noop },
  });
}
