import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import path from 'node:path';
import type { Lease, Put, Store, Watch } from '../ports/store.ts';
import { readLines } from '../system/lines.ts';
import { JobError } from '../values/errors.ts';
import { claimSocketPath, socketNameBeside } from './claim-socket-path.ts';
import type { Answer, Request } from './wire.ts';
import { maxLineBytes, requestSchema, toFailure } from './wire.ts';
import { findJsonAs } from '../values/parse-json-as.ts';

/** A store that is being served. */
export interface StoreServer {
  /** Ends all connections with their leases and removes the socket; the store itself stays open. */
  close(): Promise<void>;
}

/**
 * Serves `store` on a Unix socket, mode 0600, in a directory that must belong to this user alone.
 * A lease ends when the connection that asked for it closes. Takes over the socket of a dead server, never of a live one:
 * of any number of calls at once for one path one serves, the others fail with `JOB_BUSY`.
 */
export async function serveStore(store: Store, socketPath: string): Promise<StoreServer> {
  await requirePrivateDirectory(path.dirname(socketPath));
  const sockets = new Set<Socket>();
  const sessions = new Set<Promise<void>>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const session = serveConnection(store, socket).finally(() => {
      sockets.delete(socket);
      sessions.delete(session);
    });
    sessions.add(session);
  });
  const freePath = await listenAt(server, socketPath);
  return {
    close: async () => {
      if (!server.listening) return;
      const closed = once(server, 'close');
      // Before the connections: who loses one looks for the socket, to know whether the job is over.
      await freePath();
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
      await Promise.all(sessions);
    },
  };
}

/** Listens first, under a name of its own, so that nobody ever meets the path without a server behind it. */
async function listenAt(server: Server, socketPath: string): Promise<() => Promise<void>> {
  const ownName = socketNameBeside(socketPath);
  server.listen(ownName);
  await once(server, 'listening');
  try {
    return await claimSocketPath(ownName, socketPath);
  } catch (error) {
    server.close(); // and Node removes the name
    throw error;
  }
}

/** One client: answers in the order in which the store does; undoes its watches and leases at the end. */
async function serveConnection(store: Store, socket: Socket): Promise<void> {
  const watches = new Map<number, Watch>();
  const leases = new Map<string, Lease>();
  const send = (answer: Answer): void => {
    if (socket.writable) socket.write(`${JSON.stringify(answer)}\n`);
  };

  const answer = async (request: Request): Promise<Answer> => {
    const { id } = request;
    switch (request.call) {
      case 'read':
        return { id, entries: [...(await store.read(request.range))] };
      case 'commit': {
        const puts = request.puts.map(({ leaseId, ...put }): Put =>
          leaseId === undefined ? put : { ...put, lease: requireLease(leases, leaseId) },
        );
        const { conditions, deletes } = request;
        return { id, committed: await store.commit({ conditions, puts, deletes }) };
      }
      case 'grantLease': {
        const lease = await store.grantLease(request.ttlSeconds);
        leases.set(lease.id, lease);
        lease.lost.addEventListener('abort', () => send({ lostLease: lease.id }), { once: true });
        // The client may have gone while the lease was granted.
        if (socket.destroyed) await lease.revoke();
        return { id, leaseId: lease.id };
      }
      case 'revokeLease': {
        await leases.get(request.leaseId)?.revoke();
        leases.delete(request.leaseId);
        return { id, done: true };
      }
      case 'watch':
        watches.set(
          id,
          store.watch(request.range, () => send({ hint: id })),
        );
        return { id, done: true };
      case 'unwatch': {
        await watches.get(request.watchId)?.close();
        watches.delete(request.watchId);
        return { id, done: true };
      }
    }
  };

  readLines(socket, maxLineBytes, (line) => {
    const request = parseRequest(line);
    if (request === undefined) {
      socket.destroy();
      return;
    }
    answer(request).then(send, (error: unknown) => send({ id: request.id, error: toFailure(error) }));
  });
  await new Promise<void>((resolve) => {
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve());
  });
  await Promise.allSettled([...watches.values()].map((watch) => watch.close()));
  await Promise.allSettled([...leases.values()].map((lease) => lease.revoke()));
}

function parseRequest(line: string): Request | undefined {
  return findJsonAs(requestSchema, line);
}

function requireLease(leases: ReadonlyMap<string, Lease>, id: string): Lease {
  const lease = leases.get(id);
  if (lease === undefined)
    throw new JobError({ code: 'LEASE_LOST', message: 'The lease in the job-local store has ended.' });
  return lease;
}

/** Who may enter the directory may talk to the store: the mode of a socket is set only after it exists. */
async function requirePrivateDirectory(directory: string): Promise<void> {
  const { uid, mode } = await stat(directory);
  if (uid === process.getuid?.() && (mode & 0o077) === 0) return;
  throw new JobError({
    code: 'CONFIG_UNTRUSTED',
    message: `The directory ${directory} of the job-local store is open to others.`,
    hint: 'It must belong to the user of the helper and have mode 0700.',
  });
}
