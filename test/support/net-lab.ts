import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';

/** A network namespace that lives as long as the test's process, or until `close`: no name, no mount, no leftover. */
export interface TestNamespace extends AsyncDisposable {
  /** `/proc/PID/ns/net` */
  readonly path: string;
  /** Runs a command in it, as root. Returns standard output. */
  exec(file: string, ...argv: readonly string[]): Promise<string>;
  close(): Promise<void>;
}

/** Opens an empty namespace with only a loopback in it. */
export async function openNamespace(): Promise<TestNamespace> {
  // `cat` ends with its standard input, and that with us.
  const holder = spawn('unshare', ['--net', '/bin/cat'], { stdio: ['pipe', 'ignore', 'inherit'], detached: true });
  const path = await awaitNamespace(holder);
  const exec = async (file: string, ...argv: readonly string[]): Promise<string> =>
    (await execa('nsenter', [`--net=${path}`, '--', file, ...argv], { timeout: 60_000 })).stdout;
  const close = async (): Promise<void> => {
    if (holder.exitCode !== null || holder.signalCode !== null) return;
    const ended = once(holder, 'exit', { signal: AbortSignal.timeout(10_000) });
    holder.stdin.end();
    await ended;
  };
  await exec('ip', 'link', 'set', 'lo', 'up');
  return { path, exec, close, [Symbol.asyncDispose]: close };
}

async function awaitNamespace(holder: ChildProcess): Promise<string> {
  const path = `/proc/${String(holder.pid)}/ns/net`;
  const ours = await readlink('/proc/self/ns/net');
  for (let tries = 0; tries < 250; tries += 1) {
    const theirs = await readlink(path).catch(() => ours);
    if (theirs !== ours) return path;
    await sleep(20);
  }
  throw new Error('No network namespace: these tests must run as root, with unshare.');
}

export interface NetLab extends AsyncDisposable {
  /** Namespaces that stand for hosts; host i has address `hostAddress(i)`. */
  readonly hosts: readonly TestNamespace[];
  /** A namespace of the caller's own joins as a further host. */
  join(namespacePath: string, index: number): Promise<void>;
  close(): Promise<void>;
}

/** Address of the i-th host of the laboratory. */
export function labHostAddress(index: number): string {
  return `10.77.0.${index + 1}`;
}

/** Hosts on one switch that leads nowhere else. */
export async function startNetLab(hostCount: number): Promise<NetLab> {
  const opened = await Promise.all(Array.from({ length: hostCount + 1 }, openNamespace));
  const [middle, ...hosts] = opened;
  if (middle === undefined) throw new Error('unreachable');
  const join = async (namespacePath: string, index: number): Promise<void> => {
    const port = `port${index}`;
    await middle.exec('ip', 'link', 'add', 'eth0', 'netns', namespacePath, 'type', 'veth', 'peer', 'name', port);
    await middle.exec('ip', 'link', 'set', port, 'master', 'switch', 'up');
    const inside = ['nsenter', `--net=${namespacePath}`, '--', 'ip'] as const;
    await middle.exec(...inside, 'address', 'add', `${labHostAddress(index)}/24`, 'dev', 'eth0');
    await middle.exec(...inside, 'link', 'set', 'eth0', 'up');
  };
  const close = async (): Promise<void> => {
    await Promise.all(opened.map((namespace) => namespace.close()));
  };
  await middle.exec('ip', 'link', 'add', 'switch', 'up', 'type', 'bridge');
  for (const [index, host] of hosts.entries()) await join(host.path, index);
  return { hosts, join, close, [Symbol.asyncDispose]: close };
}

/** Received packets of an interface. */
export async function countReceived(namespace: Pick<TestNamespace, 'exec'>, device: string): Promise<number> {
  const parsed: unknown = JSON.parse(await namespace.exec('ip', '-json', '-s', 'link', 'show', 'dev', device));
  return (parsed as { stats64: { rx: { packets: number } } }[])[0]!.stats64.rx.packets;
}
