import type { ChildProcess } from 'node:child_process';
import type { ServerChannel, Session } from 'ssh2';

/** A process that was started for a session; all three of its streams are pipes. */
export interface SessionProcess {
  readonly child: ChildProcess;
  /** Sends a signal to the whole process group; nothing happens when it is gone. */
  signal(name: NodeJS.Signals): void;
  /** Ends the whole process group: asks, then forces. */
  end(): void;
}

export interface SessionRequest {
  /** The command line for the shell; undefined asks for a shell that reads its commands from standard input. */
  readonly command: string | undefined;
  /** What the client asked to set; harmless names alone. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Starts what a session asks for, as the server's own user. */
export type StartSession = (request: SessionRequest) => SessionProcess;

// OpenSSH's own default. Anything more (PATH, LD_PRELOAD) is the job's to set, not a client's.
const harmlessVariable = /^(?:LANG|LANGUAGE|LC_[A-Z]+|TZ)$/;
const sessionSignals = new Set(['ABRT', 'ALRM', 'HUP', 'INT', 'KILL', 'QUIT', 'TERM', 'USR1', 'USR2']);

/** Serves one session: `exec`, `shell`, `env` and `signal`; terminals, files and forwarding are refused by having no handler. */
export function serveSession(session: Session, startSession: StartSession): void {
  const environment: Record<string, string> = {};
  let running: SessionProcess | undefined;
  session.on('env', (accept: MaybeReply, reject: MaybeReply, info) => {
    if (!harmlessVariable.test(info.key)) return reject?.();
    environment[info.key] = info.val;
    accept?.();
  });
  session.on('signal', (accept: MaybeReply, reject: MaybeReply, info) => {
    const name = info.name.replace(/^SIG/, '');
    if (running === undefined || !sessionSignals.has(name)) return reject?.();
    running.signal(`SIG${name}` as NodeJS.Signals);
    accept?.();
  });
  session.on('exec', (accept, _reject, info) => {
    running = startSession({ command: info.command, environment });
    joinStreams(accept(), running);
  });
  session.on('shell', (accept) => {
    running = startSession({ command: undefined, environment });
    joinStreams(accept(), running);
  });
}

/** ssh2 leaves these out when the client wants no reply, whatever its types say. */
type MaybeReply = (() => void) | undefined;

function joinStreams(channel: ServerChannel, running: SessionProcess): void {
  const { stdin, stdout, stderr } = running.child;
  if (stdin === null || stdout === null || stderr === null) throw new TypeError('A session needs three pipes.');
  let hasEnded = false;
  // The peer has closed the channel (its client was killed) or the connection is gone: nobody is left to run for.
  // 'close' comes only when the input has been read, 'finish' only when the output has been sent: whichever is first.
  const abandon = (): void => {
    if (hasEnded) return;
    stdout.destroy();
    stderr.destroy();
    running.end();
  };
  channel.on('close', abandon).on('finish', abandon).on('error', abandon);

  channel.pipe(stdin);
  // A process that closes its input must not stop us from seeing the end of the channel: the rest is thrown away.
  stdin.on('error', () => channel.resume()).on('close', () => channel.resume());
  stdout.on('error', abandon).pipe(channel, { end: false });
  stderr.on('error', abandon).pipe(channel.stderr, { end: false });

  running.child.on('error', (error: NodeJS.ErrnoException) => {
    hasEnded = true;
    channel.stderr.write(`Cannot start /bin/sh in the container: ${error.message}\n`);
    channel.exit(127);
    channel.end();
  });
  // 'close', not 'exit': all output has been read by then.
  running.child.on('close', (status, signal) => {
    if (hasEnded) return;
    hasEnded = true;
    const finish = (): void => {
      if (signal === null) channel.exit(status ?? 255);
      else channel.exit(signal.slice('SIG'.length));
      channel.end();
    };
    // Ending the channel would cut off errors that still wait for the peer's window.
    if (channel.stderr.writable) channel.stderr.end(finish);
    else finish();
  });
}
