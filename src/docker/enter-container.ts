import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import type Docker from 'dockerode';
import type { EnteredProcess, ProcessSpec } from '../ports/container-engine.ts';
import { retryUntil } from '../system/retry-until.ts';
import { JobError } from '../values/errors.ts';
import { callEngine } from './call-engine.ts';
import type { EngineClient } from './call-engine.ts';
import { splitOutput } from './split-output.ts';

/** The engine answers before the process is there. */
const startMs = 15_000;

/**
 * Starts a further process in a running container, with what the engine has confined the container by: see
 * `ContainerEngine.enterContainer`.
 */
export async function enterContainer(client: EngineClient, id: string, spec: ProcessSpec): Promise<EnteredProcess> {
  const container = client.docker.getContainer(id);
  const exec = await callEngine(client, 'enter the container', (abortSignal) =>
    container.exec({ ...describeExec(spec), abortSignal }),
  );
  const socket = await callEngine(client, 'start a process in the container', (abortSignal) =>
    exec.start({ hijack: true, stdin: true, Tty: spec.isTerminal, Detach: false, abortSignal }),
  );
  socket.on('error', () => undefined); // its end is what counts
  const pid = await findPid(client, exec).catch((error: unknown) => {
    socket.destroy();
    throw error;
  });
  return {
    pid,
    input: socket,
    output: spec.isTerminal ? { stdout: socket, stderr: Readable.from([]) } : splitOutput(socket),
    resize: async ({ columns, rows }) => {
      await callEngine(client, 'resize a terminal', () => exec.resize({ h: rows, w: columns }) as Promise<unknown>);
    },
    readStatus: async () => await readStatus(client, exec),
    release: () => void socket.destroy(),
  };
}

function describeExec({ argv, uid, gid, isTerminal }: ProcessSpec): Docker.ExecCreateOptions {
  return {
    Cmd: [...argv],
    // Numbers, which the engine never takes for names here; the caller proves what came of them.
    User: `${uid}:${gid}`,
    Tty: isTerminal,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Privileged: false,
    // What an image says of directories is not followed with root's rights.
    WorkingDir: '/',
    // The engine knows no "none": without a word of ours Ctrl-P Ctrl-Q would be taken from the user.
    DetachKeys: detachKeys(),
  };
}

const letters = 'abcdefghijklmnopqrstuvwxyz';

/**
 * Keys by which nobody can leave: a control character that hardly any program uses, Ctrl-^, and letters that nobody can
 * guess. The engine holds back a Ctrl-^ until the next key, and then passes both on.
 */
function detachKeys(): string {
  return ['ctrl-^', ...Array.from(randomBytes(16), (byte) => letters.charAt(byte % letters.length))].join(',');
}

async function findPid(client: EngineClient, exec: Docker.Exec): Promise<number> {
  const look = async (): Promise<number | 'over' | undefined> => {
    const found = await inspectExec(client, exec);
    const isOver = (found?.ExitCode ?? undefined) !== undefined;
    if (found === undefined || isOver) return 'over';
    return found.Running && found.Pid > 0 ? found.Pid : undefined;
  };
  const pid = await retryUntil(look, { pauseMs: { first: 5, most: 50 }, deadlineMs: startMs });
  if (typeof pid === 'number') return pid;
  throw new JobError({
    code: pid === 'over' ? 'NODE_LOST' : 'HOST_UNFIT',
    message: `The Docker Engine did not start a process in the container${pid === 'over' ? ': the container has ended, or is ending' : ` within ${startMs / 1000} s`}.`,
  });
}

async function readStatus(client: EngineClient, exec: Docker.Exec): Promise<number | undefined> {
  return (await inspectExec(client, exec))?.ExitCode ?? undefined;
}

async function inspectExec(client: EngineClient, exec: Docker.Exec): Promise<Docker.ExecInspectInfo | undefined> {
  return await callEngine<Docker.ExecInspectInfo | undefined>(
    client,
    'look at a process in the container',
    (abortSignal) => exec.inspect({ abortSignal }),
    { meaning: { 404: () => undefined } },
  );
}
