/** A running guest: a process of qemu that ends with this one, and a login as its root. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import ssh2 from 'ssh2';
import { findFreePort } from '../free-port.ts';
import { LabError } from '../lab-error.ts';
import type { GuestDisk } from './build-guest.ts';
import type { Accelerator } from './find-accelerator.ts';
import { acceleratorOptions } from './find-accelerator.ts';
import type { GuestPlace } from './guest-files.ts';
import { guestPlaces } from './guest-files.ts';
import { runOver } from './run-over-ssh.ts';
import type { Ran, RunInGuest } from './run-over-ssh.ts';

const bootTimeoutMs = 900_000;
const loginTimeoutMs = 120_000;
const usualMemoryMb = 2560;

export interface GuestOptions {
  readonly disk: GuestDisk;
  /** A second disk, the guest's `/dev/vdb`. What the guest writes to it is gone with the guest. */
  readonly secondDisk: string;
  /** 2560 unless told. */
  readonly memoryMb?: number;
  readonly place: GuestPlace;
  readonly accelerator: Accelerator;
  /** A directory of this run: the guest's console, and the socket of the link between guests. */
  readonly runDir: string;
}

/** What commands are given to. */
export interface Host {
  readonly place: GuestPlace;
  /** Runs a bash script as root to its end. Fails when its deadline passes or the guest dies; not when its status is not 0. */
  readonly tryRun: (script: string, options?: RunInGuest) => Promise<Ran>;
  /** The same; also fails when its status is not 0. Returns standard output. */
  readonly run: (script: string, options?: RunInGuest) => Promise<string>;
}

export interface Guest extends Host, AsyncDisposable {}

/** Boots a guest and logs in. Nothing is written to its disk; with the returned object or this process it is gone. */
export async function bootGuest(options: GuestOptions): Promise<Guest> {
  const port = await findFreePort();
  const qemu = startQemu(options, port);
  const close = async (): Promise<void> => await endProcess(qemu.process);
  try {
    const client = await login(options, port, qemu);
    const tryRun: Guest['tryRun'] = async (script, how) => await runOver(client, script, how);
    const run: Guest['run'] = async (script, how) => {
      const ran = await tryRun(script, how);
      if (ran.status === 0) return ran.stdout;
      const words = [ran.stderr, ran.stdout].join('\n').trim().slice(-1500);
      throw new LabError(`On ${options.place.name} \`${firstLine(script)}\` ended with ${ran.status}: ${words}`);
    };
    const dispose = async (): Promise<void> => {
      client.destroy();
      await close();
    };
    return { place: options.place, tryRun, run, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await close();
    throw error;
  }
}

function firstLine(script: string): string {
  return script.trim().split('\n')[0]?.slice(0, 120) ?? '';
}

interface Qemu {
  readonly process: ChildProcess;
  words: string;
}

function startQemu({ disk, secondDisk, memoryMb, place, accelerator, runDir }: GuestOptions, port: number): Qemu {
  const kernelOptions = [
    ...['root=/dev/vda', 'rw', 'console=ttyS0', 'mitigations=off', 'nowatchdog', 'net.ifnames=0'],
    `systemd.hostname=${place.name}`,
    ...(accelerator === 'tcg' ? ['tsc=reliable'] : []),
  ];
  const drive = (id: string, file: string): string[] => [
    ...['-drive', `file=${file},format=raw,if=none,id=${id},cache=unsafe,snapshot=on`],
    ...['-device', `virtio-blk-pci,drive=${id}`],
  ];
  const network = (id: string, mac: string, backend: string): string[] => [
    ...['-netdev', backend, '-device', `virtio-net-pci,netdev=${id},mac=${mac},romfile=`],
  ];
  const argv = [
    ...['-M', 'q35', ...acceleratorOptions(accelerator), '-m', String(memoryMb ?? usualMemoryMb), '-smp', '2'],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-serial', `file:${consoleFile(runDir, place)}`],
    ...['-kernel', disk.kernel, '-initrd', disk.initrd, '-append', kernelOptions.join(' ')],
    ...drive('root', disk.disk),
    ...drive('second', secondDisk),
    // The first link is eth0, as on many hosts of a cluster.
    ...network('link', place.mac, describeLink(place, runDir)),
    ...network('control', place.controlMac, `user,id=control,restrict=on,hostfwd=tcp:127.0.0.1:${port}-:22`),
  ];
  // It ends with this process, however that ends.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'qemu-system-x86_64', ...argv], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, TMPDIR: runDir },
  });
  const qemu: Qemu = { process: child, words: '' };
  child.stderr.on('data', (data: Buffer) => (qemu.words = (qemu.words + data.toString()).slice(-1000)));
  child.on('error', (error) => (qemu.words = error.message));
  return qemu;
}

/** The link between the guests of a run. */
export function linkSocket(runDir: string): string {
  return join(runDir, 'link.socket');
}

/** The first guest waits for the second; there need not be one. */
function describeLink(place: GuestPlace, runDir: string): string {
  const role = place === guestPlaces[0] ? 'server=on' : 'server=off';
  return `stream,id=link,${role},addr.type=unix,addr.path=${linkSocket(runDir)}`;
}

const consoleFile = (runDir: string, place: GuestPlace): string => join(runDir, `${place.name}.console`);

async function login(options: GuestOptions, port: number, qemu: Qemu): Promise<ssh2.Client> {
  const deadline = Date.now() + bootTimeoutMs;
  for (;;) {
    const client = await tryLogin(port, options.disk.privateKey).catch(() => undefined);
    if (client !== undefined) return client;
    const hasEnded = qemu.process.exitCode !== null || qemu.process.signalCode !== null;
    if (hasEnded || Date.now() > deadline) {
      const shown = (await readFile(consoleFile(options.runDir, options.place), 'utf8').catch(() => '')).slice(-1500);
      const what = hasEnded ? 'ended while it booted' : `was not up after ${bootTimeoutMs / 1000} s`;
      throw new LabError(
        `Guest ${options.place.name} ${what}. qemu: ${qemu.words.trim() || 'silent'}. Console: ${shown}`,
      );
    }
    await sleep(500);
  }
}

async function tryLogin(port: number, privateKey: string): Promise<ssh2.Client> {
  const client = new ssh2.Client();
  return await new Promise((resolve, reject) => {
    client.on('ready', () => resolve(client));
    client.on('error', reject);
    client.on('close', () => reject(new LabError('The guest has closed the login.')));
    client.connect({
      ...{ host: '127.0.0.1', port, username: 'root', privateKey, readyTimeout: loginTimeoutMs },
      ...{ keepaliveInterval: 15_000, keepaliveCountMax: 8 },
    });
  });
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit', { signal: AbortSignal.timeout(20_000) });
  child.kill('SIGKILL');
  await ended;
}
