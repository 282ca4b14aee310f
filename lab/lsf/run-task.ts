/** One remote task of lsrun or blaunch on this host: the stand-in's res. */
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { JobUser } from './job.ts';
import { runEexec } from './run-hooks.ts';
import type { Settings } from './settings.ts';
import { signalGroup, startProcess } from './start-process.ts';
import type { StartedProcess } from './start-process.ts';
import { numberOf, send, textOf } from './wire.ts';
import type { Message } from './wire.ts';

/** Between TERM and KILL to a task whose caller is gone. */
const killAfterMs = 1000;

/** Starts the task and serves its connection to the end; when the connection breaks, the task is ended. */
export async function runTask(
  settings: Settings,
  host: string,
  user: JobUser,
  request: Message,
  socket: Socket,
  messages: AsyncGenerator<Message, void, void>,
): Promise<void> {
  const environment = buildTaskEnvironment(host, request);
  const eexecData = Buffer.from(textOf(request, 'eexecData'), 'base64');
  await runEexec({ settings, user, onStart: () => undefined }, environment, eexecData);
  const started = await startProcess(settings, user, {
    argv: buildTaskCommand(request, environment),
    cwd: textOf(request, 'cwd'),
    environment,
  });
  passStreams(started, socket);
  const end = started.ended.then(({ status }) => {
    send(socket, { type: 'exit', status });
    socket.end();
  });
  await started.ready;
  for await (const message of messages) obey(started, message);
  await endTask(started);
  await end;
}

/** The caller's environment with what the recorded system adds on the way. */
function buildTaskEnvironment(host: string, request: Message): Record<string, string> {
  const caller = request['environment'] as Record<string, string>;
  const from = textOf(request, 'fromHost');
  return {
    LSB_SUB_HOST: from,
    ...caller,
    HOSTNAME: host,
    LSF_EAUTH_SERVER: 'res',
    LSF_FROM_HOST: from,
    LSF_PM_TASKID: String(numberOf(request, 'taskId')),
    LS_JOBPID: '',
  };
}

/** With LSF_JOB_STARTER the words are put behind it as text, so they are split again at blanks, as recorded. */
function buildTaskCommand(request: Message, environment: Readonly<Record<string, string>>): string[] {
  const argv = request['argv'] as string[];
  const starter = environment['LSF_JOB_STARTER'];
  return starter === undefined ? argv : ['/bin/sh', '-c', `${starter} ${argv.join(' ')}`];
}

function passStreams({ child }: StartedProcess, socket: Socket): void {
  for (const [type, stream] of [
    ['stdout', child.stdout],
    ['stderr', child.stderr],
  ] as const) {
    stream?.on('data', (data: Buffer) => {
      if (send(socket, { type, data: data.toString('base64') })) return;
      stream.pause();
      socket.once('drain', () => stream.resume());
    });
  }
}

function obey(started: StartedProcess, message: Message): void {
  const { stdin } = started.child;
  if (message.type === 'stdin') stdin?.write(Buffer.from(textOf(message, 'data'), 'base64'));
  else if (message.type === 'stdin-end') stdin?.end();
  else if (message.type === 'signal') signalGroup(started, textOf(message, 'signal') as NodeJS.Signals);
}

/**
 * The caller is gone: its task's process group gets TERM and a second later KILL, whatever it does meanwhile. A process in a
 * session of its own is not found, as recorded.
 */
async function endTask(started: StartedProcess): Promise<void> {
  if (started.child.exitCode !== null || started.child.signalCode !== null) return;
  signalGroup(started, 'SIGTERM');
  await pause(killAfterMs, undefined, { ref: false });
  signalGroup(started, 'SIGKILL');
}
