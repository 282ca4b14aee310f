/** HOST_PRE_EXEC and HOST_POST_EXEC, as IBM documents them: commands of the queue that run on every host of a job. */
import type { Socket } from 'node:net';
import { sealOrder } from './credentials.ts';
import type { JobOrder, JobUser } from './job.ts';
import { runQueueHook } from './run-hooks.ts';
import type { Settings } from './settings.ts';
import { signalGroup } from './start-process.ts';
import type { StartedProcess } from './start-process.ts';
import { connectTo, numberOf, readLines, readMessages, send, textOf } from './wire.ts';
import type { Message } from './wire.ts';

interface HostHook {
  readonly command: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly asRoot: boolean;
}

/** How the command ended on one host; undefined on a host that is down. */
export interface HostHookEnd {
  readonly host: string;
  readonly status: number | undefined;
}

/** Runs the command on all hosts of the job at the same time, and returns when each has ended it; `passes` are its signals' ways there. */
export async function runOnJobHosts(
  settings: Settings,
  order: JobOrder,
  hook: HostHook,
  passes = new Set<(signal: NodeJS.Signals) => void>(),
): Promise<readonly HostHookEnd[]> {
  const places = settings.hosts.filter(({ name }) => order.shares.some(({ host }) => host === name));
  return await Promise.all(
    places.map(async (place) => {
      try {
        const sealed = await sealOrder(settings, { type: 'hook', user: order.user, ...hook });
        const socket = await connectTo(`The agent of ${place.name}`, place);
        socket.write(`${sealed}\n`);
        const pass = (signal: NodeJS.Signals): void => void send(socket, { type: 'signal', signal });
        passes.add(pass);
        const { value: ended } = await readMessages(readLines(socket)).next();
        passes.delete(pass);
        socket.destroy();
        return { host: place.name, status: ended === undefined ? undefined : numberOf(ended, 'status') };
      } catch {
        return { host: place.name, status: undefined };
      }
    }),
  );
}

/** The other side: runs the command here, hands it the signals that come, and says that it has ended. */
export async function serveHostHook(
  settings: Settings,
  message: Message,
  socket: Socket,
  messages: AsyncGenerator<Message, void, void>,
): Promise<void> {
  const user = message['user'] as JobUser;
  const environment = message['environment'] as Record<string, string>;
  let current: StartedProcess | undefined;
  const runner = { settings, user, onStart: (started: StartedProcess) => void (current = started) };
  const run = runQueueHook(runner, textOf(message, 'command'), environment, message['asRoot'] === true);
  const end = run.then((status) => {
    send(socket, { type: 'hook-ended', status });
    socket.end();
  });
  for await (const order of messages)
    if (current !== undefined) signalGroup(current, textOf(order, 'signal') as NodeJS.Signals);
  await end;
}
