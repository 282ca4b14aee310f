/** The daemon of an execution host: runs jobs for the scheduler and tasks for lsrun, each as its user. */
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import { askMaster } from './ask-master.ts';
import { resumeJob, sendOneSignal, suspendJob, terminateJob } from './control-job.ts';
import { openOrder } from './credentials.ts';
import { serveHostHook } from './host-hooks.ts';
import type { JobOrder, JobUser } from './job.ts';
import { prepareBatchJob } from './run-batch-job.ts';
import type { BatchJob } from './run-batch-job.ts';
import { runTask } from './run-task.ts';
import { readSettings } from './settings.ts';
import type { Settings } from './settings.ts';
import { readLines, readMessages, send, textOf } from './wire.ts';
import type { Message } from './wire.ts';

const keepAliveMs = 10_000;

/** Serves the host of that name until the process is ended. */
export function serveHost(settings: Settings, name = process.env['STANDIN_HOST'] ?? hostname()): void {
  const host = settings.hosts.find((candidate) => candidate.name === name);
  if (host === undefined) throw new Error(`${name} is no host of this cluster.`);
  const server = createServer({ keepAlive: true, keepAliveInitialDelay: keepAliveMs, noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    // Read again each time: an administrator's change counts from the next job on.
    serveConnection(readSettings(process.env), name, socket).catch((error: unknown) => {
      process.stderr.write(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      socket.destroy();
    });
  });
  server.listen(host.port, host.address, () => process.stdout.write(`agent of ${name} is ready\n`));
}

async function serveConnection(settings: Settings, host: string, socket: Socket): Promise<void> {
  const lines = readLines(socket);
  const first = await lines.next();
  const opened = first.done === true ? undefined : await openOrder(settings, first.value);
  if (opened === undefined) {
    socket.destroy();
    return;
  }
  const { user, message } = opened;
  const messages = readMessages(lines);
  if (message.type === 'job' && isMaster(settings, user)) {
    await serveJob(settings, message, socket, messages);
    return;
  }
  if (message.type === 'hook' && isMaster(settings, user)) {
    await serveHostHook(settings, message, socket, messages);
    return;
  }
  if (message.type !== 'task') {
    socket.destroy();
    return;
  }
  // Recorded: lsrun hangs for root.
  if (user.uid === 0 && settings.auth === 'munge') return;
  const refusal = await refuseTask(settings, host, user, message);
  if (refusal === undefined) {
    await runTask(settings, host, user, message, socket, messages);
    return;
  }
  send(socket, { type: 'refused', reason: refusal });
  socket.end();
}

function isMaster(settings: Settings, user: JobUser): boolean {
  return user.uid === 0 || settings.auth === 'none';
}

/** lsrun may start anything on any host; blaunch only on hosts of the caller's own job. */
async function refuseTask(settings: Settings, host: string, user: JobUser, task: Message): Promise<string | undefined> {
  if (task['jobId'] === undefined) return undefined;
  const question = { type: 'check-task', job: textOf(task, 'jobId'), host, uid: user.uid };
  const answer = await askMaster(settings, question);
  return answer.type === 'allowed' ? undefined : textOf(answer, 'reason');
}

/** The job lives on when the scheduler's connection breaks; nobody is told of its end then. */
async function serveJob(
  settings: Settings,
  message: Message,
  socket: Socket,
  messages: AsyncGenerator<Message, void, void>,
): Promise<void> {
  const job = prepareBatchJob(settings, message['order'] as JobOrder, (told) => void send(socket, told));
  const run = job.run().finally(() => socket.end());
  for await (const order of messages) obey(job, order, socket);
  await run;
}

function obey(job: BatchJob, order: Message, socket: Socket): void {
  const act = (action: Promise<void>): void => void action.catch(() => undefined);
  if (order.type === 'terminate') act(terminateJob(job));
  else if (order.type === 'signal') act(sendOneSignal(job, textOf(order, 'signal') as NodeJS.Signals));
  else if (order.type === 'suspend') act(suspendJob(job));
  else if (order.type === 'resume') act(resumeJob(job).then(() => void send(socket, { type: 'resumed' })));
  else if (order.type === 'stdin') job.feed(Buffer.from(textOf(order, 'data'), 'base64'));
  else if (order.type === 'stdin-end') job.feed(undefined);
}
