/** Tasks on other hosts, for lsrun and blaunch. */
import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import { CommandError } from './command-error.ts';
import { sealOrder } from './credentials.ts';
import { dieOfSignals, passInput } from './pass-streams.ts';
import { runPlainEsub } from './run-esubs.ts';
import type { Settings, StandinHost } from './settings.ts';
import { connectTo, numberOf, readLines, readMessages, textOf } from './wire.ts';

export interface RemoteTasks {
  readonly hosts: readonly string[];
  readonly argv: readonly string[];
  /** The job that the tasks have to belong to, as blaunch demands. */
  readonly job?: string;
  readonly takesInput: boolean;
  /** Told of each task that it starts. */
  onStart?(host: string): void;
}

/**
 * Runs one task per entry of the host list and returns their exit statuses. All of them end with this process, and it ends
 * of any signal: who wants to keep them keeps it out of reach.
 */
export async function runRemoteTasks(settings: Settings, tasks: RemoteTasks): Promise<number[]> {
  const places = tasks.hosts.map((name) => findHost(settings, name));
  const eexecData = (await runPlainEsub(settings, process.env)).toString('base64');
  const sockets = await Promise.all(
    places.map((place, taskId) => openTask(settings, place, tasks, taskId + 1, eexecData)),
  );
  dieOfSignals(sockets);
  if (tasks.takesInput) passInput(sockets);
  else for (const socket of sockets) socket.write(`${JSON.stringify({ type: 'stdin-end' })}\n`);
  return await Promise.all(sockets.map(followTask));
}

function findHost(settings: Settings, name: string): StandinHost {
  const host = settings.hosts.find((candidate) => candidate.name === name);
  if (host === undefined) throw new CommandError(`${name}: unknown host name`);
  return host;
}

async function openTask(
  settings: Settings,
  host: StandinHost,
  tasks: RemoteTasks,
  taskId: number,
  eexecData: string,
): Promise<Socket> {
  const sealed = await sealOrder(settings, {
    type: 'task',
    argv: tasks.argv,
    cwd: process.cwd(),
    environment: process.env,
    taskId,
    fromHost: process.env['STANDIN_HOST'] ?? hostname(),
    eexecData,
    ...(tasks.job === undefined ? {} : { jobId: tasks.job }),
  });
  const socket = await connectTo(`The agent of ${host.name}`, host);
  tasks.onStart?.(host.name);
  socket.write(`${sealed}\n`);
  return socket;
}

async function followTask(socket: Socket): Promise<number> {
  for await (const told of readMessages(readLines(socket))) {
    if (told.type === 'stdout') process.stdout.write(Buffer.from(textOf(told, 'data'), 'base64'));
    else if (told.type === 'stderr') process.stderr.write(Buffer.from(textOf(told, 'data'), 'base64'));
    else if (told.type === 'refused') throw new CommandError(textOf(told, 'reason'));
    else if (told.type === 'exit') return numberOf(told, 'status');
  }
  throw new CommandError('The connection to a remote host broke.');
}
