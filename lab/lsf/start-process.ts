/** Starts processes of jobs and tasks as their user, each the leader of a process group of its own. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { listGroups } from './accounts.ts';
import type { JobUser } from './job.ts';
import type { Settings } from './settings.ts';

const resProgram = fileURLToPath(new URL('res.pl', import.meta.url));
const systemPath = '/bin:/usr/bin:/sbin:/usr/sbin';
const signalBase = 128;
const lingerMs = 1_000;

export interface ProcessOrder {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** A file, or undefined for a pipe to this process. */
  readonly stdin?: string;
  readonly stdout?: string;
  readonly stderr?: string;
  /** True keeps uid 0 with the groups of the user, as PRE_POST_EXEC_USER=root does. */
  readonly asRoot?: boolean;
}

export interface StartedProcess {
  readonly child: ChildProcess;
  /** Resolves when signals can be sent to the group. */
  readonly ready: Promise<void>;
  /** Resolves with the exit status, 128 + number after a signal, when the process and its streams have ended. */
  readonly ended: Promise<{ readonly status: number; readonly wasKilled: boolean }>;
}

/** Starts a process as the user; its environment reaches it only after it has become that user. */
export async function startProcess(settings: Settings, user: JobUser, order: ProcessOrder): Promise<StartedProcess> {
  const res = ['perl', resProgram];
  const argv = settings.auth === 'none' ? res : [...(await becomeUser(user, order.asRoot === true)), ...res];
  const [file = '', ...args] = argv;
  const child = spawn(file, args, {
    cwd: '/',
    env: { PATH: systemPath, LANG: 'C.UTF-8' },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  });
  const channel = child.stdio[3] as Duplex;
  channel.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  if (order.stdin !== undefined) child.stdin.end();
  const ready = Promise.race([once(channel, 'data'), once(child, 'exit')]).then(() => undefined);
  const ended = new Promise<{ status: number; wasKilled: boolean }>((resolve) => {
    child.on('error', () => resolve({ status: 127, wasKilled: false }));
    // A child in the background may hold the streams for ever.
    child.on('exit', () =>
      setTimeout(() => [child.stdout, child.stderr].forEach((stream) => stream.destroy()), lingerMs),
    );
    child.on('close', (code, signal) => {
      const number = signal === null ? 0 : constants.signals[signal];
      resolve({ status: code ?? signalBase + number, wasKilled: signal === 'SIGKILL' });
    });
  });
  channel.write(renderOrders(order));
  return { child, ready, ended };
}

async function becomeUser(user: JobUser, asRoot: boolean): Promise<string[]> {
  const groups = ['--regid', String(user.gid), `--groups=${(await listGroups(user)).join(',')}`];
  return ['setpriv', '--reuid', asRoot ? '0' : String(user.uid), ...groups, '--'];
}

function renderOrders(order: ProcessOrder): string {
  const variables = Object.entries(order.environment).map(([name, value]) => `${name}=${value}`);
  return [
    ...[order.cwd, order.stdin ?? '-', order.stdout ?? '-', order.stderr ?? '-'],
    ...[String(order.argv.length), ...order.argv, ...variables, 'end of orders'],
  ]
    .map((text) => `${text}\0`)
    .join('');
}

/** Sends a signal to the whole group of a process; a group that is gone needs none. */
export function signalGroup({ child }: StartedProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has ended.
  }
}
