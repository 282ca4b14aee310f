import { once } from 'node:events';
import { timingSafeEqual } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import ssh2 from 'ssh2';
import type { AuthContext, Connection, PublicKeyAuthContext } from 'ssh2';
import { JobError } from '../values/errors.ts';
import { decodePublicKey } from './make-key-pair.ts';
import { serveSession } from './serve-session.ts';
import type { StartSession } from './serve-session.ts';
import { sshAlgorithms } from './ssh-algorithms.ts';

export interface SshServerOptions {
  readonly address: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly hostPrivateKey: string;
  /** The only name that may log in. */
  readonly userName: string;
  /** Keys that may log in from this address. A client that comes before they are known waits for its answer. */
  readonly findKeys: (address: string) => Promise<readonly string[]>;
  /** A connection that has not logged in by then is closed. */
  readonly loginTimeoutMs: number;
  readonly startSession: StartSession;
}

export interface SshServer {
  readonly port: number;
  /** True while a client is connected. */
  hasLogins(): boolean;
  /** Takes no more connections and closes those that are open, which ends their sessions' processes. */
  close(): void;
}

const maxLoginAttempts = 4;

/**
 * Starts an SSH server that lets the keys of the job in and does nothing but run commands.
 * Fails with `BUG` when it cannot listen: the address and the port are the job's own.
 */
export async function startSshServer(options: SshServerOptions): Promise<SshServer> {
  const connections = new Set<Connection>();
  const server = new ssh2.Server(
    {
      hostKeys: [options.hostPrivateKey],
      algorithms: sshAlgorithms,
      // A job that is suspended answers nothing for hours and must find its sessions again: the job's lease looks after lost hosts.
      keepaliveInterval: 0x7fff_ffff,
      keepaliveCountMax: Number.MAX_SAFE_INTEGER,
    },
    (connection, { ip }) => {
      connections.add(connection);
      (connection as Connection & { setNoDelay(isOn: boolean): void }).setNoDelay(true); // as the client does; missing in the types
      connection.on('close', () => connections.delete(connection));
      admit(connection, options, ip);
    },
  );
  const port = await listen(server, options);
  // After this a failing accept (no descriptors left) hits one connection, not the job.
  server.on('error', () => undefined);
  return {
    port,
    hasLogins: () => connections.size > 0,
    close() {
      server.close();
      for (const connection of connections) connection.end();
    },
  };
}

async function listen(server: ssh2.Server, options: SshServerOptions): Promise<number> {
  try {
    server.listen(options.port, options.address);
    await once(server, 'listening');
  } catch (error) {
    throw new JobError({
      code: 'BUG',
      message: `The SSH server of the container cannot listen on ${options.address}:${options.port}: ${(error as Error).message}.`,
      cause: error,
    });
  }
  return (server.address() as AddressInfo).port;
}

function admit(connection: Connection, options: SshServerOptions, address: string): void {
  const timer = setTimeout(() => connection.end(), options.loginTimeoutMs);
  let attempts = 0;
  connection.on('error', () => connection.end());
  connection.on('close', () => clearTimeout(timer));
  connection.on('authentication', (context) => {
    if (context.method === 'none') {
      context.reject(['publickey']); // how a client asks what is offered
      return;
    }
    attempts += 1;
    if (attempts > maxLoginAttempts) {
      connection.end();
      return;
    }
    options.findKeys(address).then(
      (keys) => (mayLogIn(context, options.userName, keys) ? context.accept() : context.reject(['publickey'])),
      () => connection.end(),
    );
  });
  connection.on('ready', () => {
    clearTimeout(timer);
    connection.on('session', (accept) => serveSession(accept(), options.startSession));
  });
}

function mayLogIn(context: AuthContext, userName: string, authorized: readonly string[]): boolean {
  if (context.method !== 'publickey' || context.username !== userName) return false;
  const { data } = context.key;
  const keys = authorized.map(decodePublicKey);
  if (!keys.some((key) => key.length === data.length && timingSafeEqual(key, data))) return false;
  return context.signature === undefined || hasValidSignature(context, context.signature);
}

function hasValidSignature(context: PublicKeyAuthContext, signature: Buffer): boolean {
  const key = ssh2.utils.parseKey(context.key.data);
  if (key instanceof Error || context.blob === undefined) return false;
  const isValid: unknown = key.verify(context.blob, signature, context.hashAlgo); // or an Error, whatever its type says
  return isValid === true;
}
