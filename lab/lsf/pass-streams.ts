/** The caller's side of a remote task: its input and its signals go there. */
import type { Socket } from 'node:net';
import { send } from './wire.ts';

const passed = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGQUIT'] as const;

/** Sends this process's standard input to the tasks. */
export function passInput(sockets: readonly Socket[]): void {
  process.stdin.on('data', (data: Buffer) => {
    for (const socket of sockets) send(socket, { type: 'stdin', data: data.toString('base64') });
  });
  const end = (): void => sockets.forEach((socket) => send(socket, { type: 'stdin-end' }));
  process.stdin.on('end', end);
  process.stdin.on('error', end);
}

/** Sends the signals that this process gets to the tasks, and stops and goes on with them. */
export function passSignals(sockets: readonly Socket[]): void {
  const tell = (signal: string): void => sockets.forEach((socket) => send(socket, { type: 'signal', signal }));
  for (const signal of passed) process.on(signal, () => tell(signal));
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
  passSignals([socket]);
}
