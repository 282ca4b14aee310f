import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';

/** Tag of the image that every test engine holds: a static busybox and nothing else. */
export const busyboxImage = 'hpcdj/busybox:1';

/** A Docker Engine of the test's own: it sees no network but its own namespace, and nobody else sees it. */
export interface TestEngine extends AsyncDisposable {
  readonly socketPath: string;
  /** A process in the engine's namespaces: its /proc/PID/ns/net is the "host" on which its containers run. */
  readonly pid: number;
  /** Runs a command on the engine's "host": its network and mount namespaces. Returns standard output. */
  exec(file: string, ...argv: readonly string[]): Promise<string>;
  /** The Docker command line, for what tests do that the product never does. Returns standard output. */
  docker(...argv: readonly string[]): Promise<string>;
  /** Loads a busybox image under a name, with Dockerfile lines such as `VOLUME /data`; returns its id. */
  importBusybox(reference: string, ...changes: readonly string[]): Promise<string>;
  /** The same with further files, by path in the image: an `etc/group` of evil, say. */
  importBusyboxWith(
    reference: string,
    files: Readonly<Record<string, string>>,
    ...changes: readonly string[]
  ): Promise<string>;
  /** Ends the engine and starts it again; containers go on with the setting `live-restore`. Returns when it answers. */
  restart(): Promise<void>;
  /** Ends the engine with all its containers, mounts, cgroups and files. Repeat-safe. */
  stop(): Promise<void>;
}

export interface TestEngineOptions {
  /** Further settings of daemon.json. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** Starts a private Docker Engine with `busyboxImage` in it; needs root, dockerd and busybox-static. */
export async function startDockerEngine(options: TestEngineOptions = {}): Promise<TestEngine> {
  await requireServices();
  const directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-engine-'));
  await writeFile(path.join(directory, 'daemon.json'), JSON.stringify(options.settings ?? {}));
  const holder = holdEngine(directory);
  const engine = describeEngine(directory, holder);
  try {
    await awaitReady(engine, holder, path.join(directory, 'docker.log'));
    await engine.importBusybox(busyboxImage);
  } catch (error) {
    await engine.stop();
    throw error;
  }
  return engine;
}

async function requireServices(): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('These tests start a private dockerd and must run as root.');
  for (const [file, ...argv] of [
    ['dockerd', '--version'],
    ['unshare', '--version'],
    ['/bin/busybox', 'true'],
  ] as const) {
    const { failed } = await execa(file, argv, { reject: false, timeout: 10_000 });
    if (failed)
      throw new Error(`These tests need ${file}: apt-get install docker.io busybox-static util-linux iproute2`);
  }
}

function holdEngine(directory: string): ChildProcess {
  const script = path.join(import.meta.dirname, 'hold-docker-engine.sh');
  return spawn(
    'unshare',
    ['--net', '--mount', '--propagation', 'slave', '/bin/sh', script, directory, path.basename(directory)],
    // A session of its own: an interrupt at the terminal reaches the tests, and by their end the engine.
    { stdio: ['pipe', 'ignore', 'inherit'], detached: true },
  );
}

function describeEngine(directory: string, holder: ChildProcess): TestEngine {
  const socketPath = path.join(directory, 'docker.sock');
  const { pid } = holder;
  if (pid === undefined) throw new Error('unshare could not be started.');

  const exec = async (file: string, ...argv: readonly string[]): Promise<string> => {
    const entered = ['--target', String(pid), '--net', '--mount', '--', file, ...argv];
    return (await execa('nsenter', entered, { timeout: 60_000 })).stdout;
  };
  const docker = async (...argv: readonly string[]): Promise<string> =>
    (await execa('docker', ['--host', `unix://${socketPath}`, ...argv], { timeout: 120_000 })).stdout;

  const stop = async (): Promise<void> => {
    if (holder.exitCode !== null || holder.signalCode !== null) return;
    const ended = once(holder, 'exit', { signal: AbortSignal.timeout(40_000) });
    holder.stdin?.end();
    await ended;
  };

  return {
    socketPath,
    pid,
    exec,
    docker,
    importBusybox: (reference, ...changes) => importBusybox(docker, reference, {}, changes),
    importBusyboxWith: (reference, files, ...changes) => importBusybox(docker, reference, files, changes),
    restart: async () => {
      const log = path.join(directory, 'docker.log');
      const before = await readFile(path.join(directory, 'docker.pid'), 'utf8');
      holder.stdin?.write('restart\n');
      const deadline = Date.now() + 30_000;
      while ((await readFile(path.join(directory, 'docker.pid'), 'utf8').catch(() => before)) === before) {
        if (Date.now() > deadline) throw new Error('The test’s dockerd did not start again.');
        await sleep(50);
      }
      await awaitReady(describeEngine(directory, holder), holder, log);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function awaitReady(engine: TestEngine, holder: ChildProcess, logFile: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const { failed } = await execa('docker', ['--host', `unix://${engine.socketPath}`, 'version'], {
      reject: false,
      timeout: 5000,
    });
    if (!failed) return;
    if (Date.now() > deadline || holder.exitCode !== null) {
      const log = await readFile(logFile, 'utf8').catch(() => '(no log)');
      throw new Error(`The test's dockerd did not become ready:\n${log.split('\n').slice(-20).join('\n')}`);
    }
    await sleep(100);
  }
}

async function importBusybox(
  docker: TestEngine['docker'],
  reference: string,
  files: Readonly<Record<string, string>>,
  changes: readonly string[],
): Promise<string> {
  const root = await mkdtemp(path.join(tmpdir(), 'hpcdj-rootfs-'));
  try {
    await mkdir(path.join(root, 'bin'));
    await copyFile('/bin/busybox', path.join(root, 'bin/busybox'));
    const { stdout } = await execa('/bin/busybox', ['--list'], { timeout: 10_000 });
    for (const applet of stdout.split('\n').filter((name) => name !== 'busybox')) {
      await symlink('busybox', path.join(root, 'bin', applet));
    }
    for (const [name, text] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(root, name)), { recursive: true });
      await writeFile(path.join(root, name), text);
    }
    const archive = `${root}.tar`;
    await execa('tar', ['-C', root, '-cf', archive, '.'], { timeout: 30_000 });
    const lines = ['ENV PATH=/bin', ...changes].flatMap((line) => ['--change', line]);
    return (await docker('import', ...lines, archive, reference)).trim();
  } finally {
    await Promise.all([root, `${root}.tar`].map((made) => rm(made, { recursive: true, force: true })));
  }
}
