/** The caller's side of a remote task: its input and its signals go there. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { send } from './wire.ts';

const passed = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGQUIT'] as const;
/** A host that reads nothing does not hold up its caller's death. */
const leaveMs = 200;

/** Sends this process's standard input to the tasks. */
export function passInput(sockets: readonly Socket[]): void {
  process.stdin.on('data', (data: Buffer) => {
    for (const socket of sockets) send(socket, { type: 'stdin', data: data.toString('base64') });
  });
  const end = (): void => sockets.forEach((socket) => send(socket, { type: 'stdin-end' }));
  process.stdin.on('end', end);
  process.stdin.on('error', end);
}

/** Sends the signals that this process gets to its only task, and stops and goes on with it. */
function passSignals(socket: Socket): void {
  const tell = (signal: string): void => void send(socket, { type: 'signal', signal });
  for (const signal of passed) process.on(signal, () => tell(signal));
  followStops(tell);
}

/**
 * As lsrun and its nios do: each signal but those of a terminal goes to the tasks once, then KILL, and this process
 * ends of TERM whatever it was.
 */
export function dieOfSignals(sockets: readonly Socket[]): void {
  const tell = (signal: string): void => sockets.forEach((socket) => send(socket, { type: 'signal', signal }));
  let isDying = false;
  const die = async (signal: NodeJS.Signals): Promise<void> => {
    if (isDying) return;
    isDying = true;
    tell(signal);
    tell('SIGKILL');
    const sent = sockets.map(async (socket) => (socket.writableLength > 0 ? await once(socket, 'drain') : undefined));
    await Promise.race([Promise.allSettled(sent), pause(leaveMs)]);
    process.removeAllListeners('SIGTERM');
    process.kill(process.pid, 'SIGTERM');
  };
  for (const signal of passed) process.on(signal, () => void die(signal));
  followStops(tell);
}

function followStops(tell: (signal: string) => void): void {
  process.on('SIGTSTP', () => {
    tell('SIGTSTP');
    // The message has to leave before this process stops.
    setImmediate(() => process.kill(process.pid, 'SIGSTOP'));
  });
  process.on('SIGCONT', () => {
    tell('SIGCONT');
    // Recorded: remote tasks get a SIGWINCH, too.
    tell('SIGWINCH');
  });
}

/** Both, for one task. */
export function passTaskStreams(socket: Socket): void {
  passInput([socket]);
  passSignals(socket);
}
