import { timingSafeEqual } from 'node:crypto';
import { constants } from 'node:os';
import ssh2 from 'ssh2';
import type { ClientChannel } from 'ssh2';
import { JobError } from '../values/errors.ts';
import { decodePublicKey } from './make-key-pair.ts';
import { sshAlgorithms } from './ssh-algorithms.ts';

export interface SshTarget {
  readonly address: string;
  readonly port: number;
  /** Where the connection comes from; default: as the kernel chooses. */
  readonly localAddress?: string;
  readonly userName: string;
  readonly privateKey: string;
  /** The only key that the server may show. */
  readonly hostPublicKey: string;
  readonly timeoutMs: number;
}

/** A command on the other side. */
export interface RemoteCommand {
  /** Its standard input and output, with `stderr` apart; 'close' comes after the last byte of both. */
  readonly streams: ClientChannel;
  /** Known when the streams are closed, unless the connection broke: 128 + n for a signal. */
  readonly exitStatus: number | undefined;
}

/** A login that carries any number of commands. */
export interface SshConnection {
  readonly isOpen: boolean;
  /** Runs a command line of at most 32 KiB (undefined: a shell that reads its standard input) on the other side. */
  run(command: string | undefined): Promise<RemoteCommand>;
  close(): void;
}

/** Why a connection could not be made, and whether a later try may find it healed. */
export class SshConnectError extends JobError {
  readonly isFinal: boolean;

  constructor(reason: string, isFinal: boolean, cause?: unknown) {
    super({ code: 'NODE_LATE', message: reason, cause });
    this.isFinal = isFinal;
  }
}

/** ssh2 takes no packet of more than 35,000 bytes, and ends the login with all its sessions when one comes. */
const maxCommandBytes = 32 * 1024;

/** Logs in with key and strict host key, or fails with `SshConnectError` within the time limit. */
export function connectSsh(target: SshTarget): Promise<SshConnection> {
  const client = new ssh2.Client();
  const expectedKey = decodePublicKey(target.hostPublicKey);
  let hasShownOtherKey = false;
  let isOpen = true;
  client.on('close', () => (isOpen = false));
  return new Promise((resolve, reject) => {
    client.on('error', (error: Error & { level?: string }) => {
      isOpen = false;
      client.end();
      reject(explain(error, hasShownOtherKey)); // after the login this does nothing: the channels end by themselves
    });
    client.on('close', () => reject(new SshConnectError('connection closed during the login', false)));
    // Else every step of the login waits 40 ms for an acknowledgement that the other side delays.
    client.on('connect', () => client.setNoDelay(true));
    client.on('ready', () =>
      resolve({
        get isOpen() {
          return isOpen;
        },
        run: (command) => openChannel(client, command),
        close: () => void client.end(),
      }),
    );
    client.connect({
      host: target.address,
      port: target.port,
      ...(target.localAddress === undefined ? {} : { localAddress: target.localAddress }),
      username: target.userName,
      privateKey: target.privateKey,
      algorithms: sshAlgorithms,
      readyTimeout: target.timeoutMs,
      // See the server: a suspended job must not lose its sessions.
      keepaliveInterval: 0,
      hostVerifier: (key: Buffer) => {
        hasShownOtherKey = key.length !== expectedKey.length || !timingSafeEqual(key, expectedKey);
        return !hasShownOtherKey;
      },
    });
  });
}

function explain(error: Error & { level?: string; code?: unknown }, hasShownOtherKey: boolean): SshConnectError {
  if (hasShownOtherKey) return new SshConnectError('another host key than the one of this job', true, error);
  if (error.level === 'client-authentication') return new SshConnectError('login refused', true, error);
  if (error.level === 'client-timeout') return new SshConnectError('no answer', false, error);
  return new SshConnectError(typeof error.code === 'string' ? error.code : error.message, false, error);
}

function openChannel(client: ssh2.Client, command: string | undefined): Promise<RemoteCommand> {
  const bytes = Buffer.byteLength(command ?? '');
  if (bytes > maxCommandBytes) {
    const reason = `the command is too long: it has ${bytes} bytes, ${maxCommandBytes} are possible`;
    return Promise.reject(new SshConnectError(reason, true));
  }
  return new Promise((resolve, reject) => {
    const done = (error: Error | undefined, streams: ClientChannel): void => {
      if (error !== undefined) {
        reject(new SshConnectError(`the command could not be started: ${error.message}`, false, error));
        return;
      }
      // Here and not after an await: a short command's exit may stand in the very packet that opened the channel.
      let exitStatus: number | undefined;
      streams.on('exit', (code: number | null, signal?: string) => (exitStatus = code ?? signalStatus(signal)));
      resolve({
        streams,
        get exitStatus() {
          return exitStatus;
        },
      });
    };
    // Throws when the connection has ended in the meantime.
    if (command === undefined) client.shell(false, done);
    else client.exec(command, done);
  });
}

// As a shell says it; OpenSSH says 255 for every signal, which tells nothing.
function signalStatus(signal: string | undefined): number {
  const name = `SIG${(signal ?? '').replace(/^SIG/, '')}`;
  return 128 + ((constants.signals as Record<string, number>)[name] ?? 0);
}
