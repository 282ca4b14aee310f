/** HOST_POST_EXEC, as IBM documents it: a command of the queue that runs on every host of a job. */
import type { Socket } from 'node:net';
import { sealOrder } from './credentials.ts';
import type { JobOrder, JobUser } from './job.ts';
import { runQueueHook } from './run-hooks.ts';
import type { Settings } from './settings.ts';
import { connectTo, readLines, readMessages, send, textOf } from './wire.ts';
import type { Message } from './wire.ts';

interface HostHook {
  readonly command: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly asRoot: boolean;
}

/** Runs the command on all hosts of the job at the same time, and returns when each has ended it; a host that is down has none. */
export async function runOnJobHosts(settings: Settings, order: JobOrder, hook: HostHook): Promise<void> {
  const places = settings.hosts.filter(({ name }) => order.shares.some(({ host }) => host === name));
  await Promise.all(
    places.map(async (place) => {
      try {
        const sealed = await sealOrder(settings, { type: 'hook', user: order.user, ...hook });
        const socket = await connectTo(`The agent of ${place.name}`, place);
        socket.write(`${sealed}\n`);
        await readMessages(readLines(socket)).next();
        socket.destroy();
      } catch {
        // As with the host's own post-exec: its status is ignored.
      }
    }),
  );
}

/** The other side: runs the command here and says that it has ended. */
export async function serveHostHook(settings: Settings, message: Message, socket: Socket): Promise<void> {
  const user = message['user'] as JobUser;
  const environment = message['environment'] as Record<string, string>;
  const runner = { settings, user, onStart: () => undefined };
  await runQueueHook(runner, textOf(message, 'command'), environment, message['asRoot'] === true);
  send(socket, { type: 'hook-ended' });
  socket.end();
}
