import { execa } from 'execa';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findFreePort } from '../../lab/free-port.ts';

const program = fileURLToPath(new URL('../../lab/lsf/standin.ts', import.meta.url));
const readyTimeoutMs = 15_000;
const pollMs = 25;

export interface StandinOptions {
  /** Slots of node1, node2, … */
  readonly slots?: readonly number[];
  /** Lines of the queues besides their names. */
  readonly queues?: Readonly<Record<string, string>>;
  readonly conf?: string;
  readonly params?: string;
}

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The stand-in's daemons on the loopback address, everybody being the user of the tests; hosts are names only. */
export interface Standin extends AsyncDisposable {
  readonly home: string;
  readonly serverdir: string;
  readonly env: Readonly<Record<string, string>>;
  /** Runs a command of the stand-in as if on node1. */
  run(
    command: string,
    argv: readonly string[],
    options?: { input?: string; env?: Record<string, string> },
  ): Promise<Ran>;
  /** Submits and returns the job's number; fails when bsub does. */
  submit(argv: readonly string[], options?: { input?: string; env?: Record<string, string> }): Promise<number>;
  /** Waits until bjobs shows the job in one of the states. */
  awaitStatus(job: number | string, ...states: readonly string[]): Promise<string>;
  /** The file in the home, as soon as its text fits. */
  awaitFile(name: string, pattern?: RegExp): Promise<string>;
  writeProgram(path: string, text: string): Promise<void>;
  killAgent(host: string): Promise<void>;
  startAgent(host: string): Promise<void>;
}

/** Starts a cluster of the stand-in; its pauses are short, unless `params` says otherwise. */
export async function startStandin(options: StandinOptions = {}): Promise<Standin> {
  const directory = await mkdtemp(join(tmpdir(), 'hpcdj-lsf-'));
  const home = join(directory, 'home');
  const serverdir = join(directory, 'sbin');
  for (const path of [home, serverdir]) await mkdir(path);
  const slots = options.slots ?? [2, 2, 2];
  const hosts = await Promise.all(
    slots.map(async (count, index) => `node${index + 1} 127.0.0.1 ${await findFreePort()} ${count}`),
  );
  await writeFile(join(directory, 'standin.hosts'), `${hosts.join('\n')}\n`);
  await writeFile(join(directory, 'lsf.conf'), renderConf(directory, await findFreePort(), options.conf));
  await writeFile(
    join(directory, 'lsb.params'),
    options.params ??
      'MBD_SLEEP_TIME=0.2\nJOB_TERMINATE_INTERVAL=0.4\nSTANDIN_WARN_TIME=0.4\nSTANDIN_MINUTE=0.5\nSTANDIN_PIM_INTERVAL=0.2\n',
  );
  const queues = Object.entries({ normal: '', ...options.queues });
  await writeFile(
    join(directory, 'lsb.queues'),
    queues.map(([name, lines]) => `Begin Queue\nQUEUE_NAME = ${name}\n${lines}\nEnd Queue\n`).join('\n'),
  );
  const { PATH = '' } = process.env;
  const env = { PATH, HOME: home, USER: process.env['USER'] ?? 'root', LSF_ENVDIR: directory, STANDIN_HOST: 'node1' };
  const daemons = new Map<string, ChildProcess>();
  const start = async (name: string, argv: readonly string[], host: string): Promise<void> => {
    daemons.set(name, await startDaemon(argv, { ...env, STANDIN_HOST: host }));
  };
  const startAgent = (host: string): Promise<void> => start(host, ['agent'], host);
  const run: Standin['run'] = async (command, argv, more = {}) => {
    const result = await execa(process.execPath, [program, command, ...argv], {
      ...{ cwd: home, reject: false, extendEnv: false, env: { ...env, ...more.env }, stripFinalNewline: false },
      ...{ input: more.input ?? '', timeout: 30_000 },
    });
    return { exitCode: result.exitCode ?? -1, stdout: result.stdout, stderr: result.stderr };
  };
  const stop = async (): Promise<void> => {
    await run('bkill', ['-s', 'KILL', '0']);
    for (const daemon of daemons.values()) await killChild(daemon);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await Promise.all([
      start('daemon', ['daemon'], 'head'),
      ...slots.map((_, index) => startAgent(`node${index + 1}`)),
    ]);
  } catch (error) {
    for (const daemon of daemons.values()) await killChild(daemon);
    throw error;
  }
  return {
    ...{ home, serverdir, env, run, startAgent },
    killAgent: (host) => killChild(daemons.get(host)),
    submit: async (argv, more) => {
      const { stdout, stderr } = await run('bsub', argv, more);
      const id = /^Job <(\d+)> is submitted/.exec(stdout)?.[1];
      if (id === undefined) throw new Error(`bsub failed: ${stderr}`);
      return Number(id);
    },
    awaitStatus: async (job, ...states) =>
      await poll(`job ${job} in ${states.join(' or ')}`, async () => {
        const { stdout } = await run('bjobs', ['-noheader', '-o', 'stat', String(job)]);
        return { value: stdout.trim(), fits: states.includes(stdout.trim()) };
      }),
    awaitFile: async (name, pattern = /(?:)/) =>
      await poll(`${name} like ${pattern}`, async () => {
        const text = await readFile(join(home, name), 'utf8').catch(() => undefined);
        return { value: text ?? '', fits: text !== undefined && pattern.test(text) };
      }),
    writeProgram: async (path, text) => {
      await writeFile(path, text);
      await chmod(path, 0o755);
    },
    [Symbol.asyncDispose]: stop,
  };
}

function renderConf(directory: string, port: number, more = ''): string {
  return [
    'STANDIN_CLUSTER=lsftest',
    `STANDIN_MASTER=head:127.0.0.1:${port}`,
    'STANDIN_AUTH=none',
    `STANDIN_WORKDIR=${directory}/work`,
    `LSF_BINDIR=${directory}/bin`,
    `LSF_SERVERDIR=${directory}/sbin`,
    `LSF_LIBDIR=${directory}/lib`,
    'LSB_SUB_COMMANDNAME=y',
    more,
    '',
  ].join('\n');
}

async function startDaemon(argv: readonly string[], env: Readonly<Record<string, string>>): Promise<ChildProcess> {
  const child = spawn(process.execPath, [program, ...argv], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const started = await Promise.race([
    once(child.stdout, 'data', { signal: AbortSignal.timeout(readyTimeoutMs) }).then(() => true),
    once(child, 'exit').then(() => false),
  ]);
  if (!started) throw new Error(`The stand-in's ${argv.join(' ')} did not start.`);
  return child;
}

async function killChild(child: ChildProcess | undefined): Promise<void> {
  if (child?.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

async function poll(what: string, look: () => Promise<{ value: string; fits: boolean }>): Promise<string> {
  const deadline = Date.now() + readyTimeoutMs;
  for (;;) {
    const { value, fits } = await look();
    if (fits) return value;
    if (Date.now() > deadline) throw new Error(`Waited in vain for ${what}; last seen: ${value}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
