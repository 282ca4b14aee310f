import type { Lease, Store, Transaction } from '../ports/store.ts';
import { JobError } from '../values/errors.ts';
import { OpenWatches } from './open-watches.ts';
import { StoreServer } from './store-server.ts';

export interface LocalStoreOptions {
  /** Deadline of one call. */
  readonly callTimeoutMs?: number;
}

/**
 * The store that another helper on this host serves. Connects on the first call and again on a later one.
 * When the server goes away calls fail with STORE_UNREACHABLE, watches give a hint and leases are lost: the server
 * ends them with the connection.
 */
export function connectLocalStore(socketPath: string, { callTimeoutMs = 2000 }: LocalStoreOptions = {}): Store {
  const leases = new Map<string, AbortController>();
  const server = new StoreServer(socketPath, callTimeoutMs, {
    onHint: (id) => watches.hint(id),
    onLostLease: (id) => loseLease(leases, id),
    onGone: () => {
      for (const id of [...leases.keys()]) loseLease(leases, id);
      watches.renew();
    },
  });
  const watches = new OpenWatches(server);
  return {
    read: async (range) => {
      const answer = await server.ask({ call: 'read', range });
      return 'entries' in answer ? answer.entries : [];
    },
    commit: async (transaction) => await commit(server, transaction),
    grantLease: async (ttlSeconds) => await grantLease(server, leases, ttlSeconds),
    watch: (range, lookAgain) => watches.open(range, lookAgain),
    close: async () => {
      watches.close();
      await server.close();
    },
  };
}

async function commit(
  server: StoreServer,
  { conditions = [], puts = [], deletes = [] }: Transaction,
): Promise<boolean> {
  const answer = await server.ask({
    call: 'commit',
    conditions: [...conditions],
    puts: puts.map(({ key, value, lease }) => ({ key, value, leaseId: lease?.id })),
    deletes: [...deletes],
  });
  return 'committed' in answer && answer.committed;
}

async function grantLease(
  server: StoreServer,
  leases: Map<string, AbortController>,
  ttlSeconds: number,
): Promise<Lease> {
  const answer = await server.ask({ call: 'grantLease', ttlSeconds });
  if (!('leaseId' in answer)) throw server.unreachable('it sent something that is no answer');
  const { leaseId } = answer;
  const lost = new AbortController();
  leases.set(leaseId, lost);
  const revoke = async (): Promise<void> => {
    if (leases.delete(leaseId)) await server.ask({ call: 'revokeLease', leaseId });
  };
  return { id: leaseId, lost: lost.signal, revoke };
}

function loseLease(leases: Map<string, AbortController>, id: string): void {
  const error = new JobError({ code: 'LEASE_LOST', message: 'The lease in the job-local store has ended.' });
  leases.get(id)?.abort(error);
  leases.delete(id);
}
