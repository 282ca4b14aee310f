/** What tests and the demo do with a running lab: run commands inside its hosts, and make hosts fail. */
import { execa } from 'execa';
import type { Options } from 'execa';
import { constants } from 'node:os';
import { setHostLink } from './boot-hosts.ts';
import { killProcesses, removeCgroups } from './cgroup-tree.ts';
import { toHostCommand } from './enter-host.ts';
import type { EnterOptions } from './enter-host.ts';
import { LabError } from './lab-error.ts';
import { patient } from './patience.ts';
import { hostOf } from './running-lab.ts';
import type { Lab } from './running-lab.ts';

export interface ExecOptions extends EnterOptions {
  readonly argv: readonly string[];
  readonly input?: string;
  /** The program is killed after so long; 120 s unless told, endless with `inherit`. */
  readonly timeoutMs?: number;
  /** True gives the program this process's own standard streams. */
  readonly inherit?: boolean;
}

export interface ExecResult {
  /** 128 + signal number when a signal ended it. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

const signalBase = 128;
const defaultTimeoutMs = 120_000;

/** Runs a program inside a host and returns however it ends; fails only when it takes too long. */
export async function execOnHost(lab: Lab, hostName: string, options: ExecOptions): Promise<ExecResult> {
  const [file = '', ...args] = toHostCommand(hostOf(lab, hostName), options.argv, options);
  const timeoutMs = patient(options.timeoutMs ?? (options.inherit ? 0 : defaultTimeoutMs));
  const streams: Options = options.inherit ? { stdio: 'inherit' } : { input: options.input ?? '' };
  const result = await execa(file, args, { ...streams, reject: false, timeout: timeoutMs });
  if (result.timedOut)
    throw new LabError(`\`${options.argv.join(' ')}\` on ${hostName} took longer than ${timeoutMs} ms.`);
  const exitCode = result.exitCode ?? signalBase + (result.signal === undefined ? 0 : constants.signals[result.signal]);
  return { exitCode, stdout: String(result.stdout ?? ''), stderr: String(result.stderr ?? '') };
}

/** Kills a host as a power failure would: every process of it at once, and its cgroups with them. `bringUp` starts it again. */
export async function killHost(lab: Lab, hostName: string): Promise<void> {
  const subtree = `${lab.layout.cgroupName}/${hostOf(lab, hostName).name}`;
  await killProcesses(lab.hierarchies, subtree);
  await removeCgroups(lab.hierarchies, subtree);
}

/** Cuts a host off the others, or connects it again. */
export async function setLink(lab: Lab, hostName: string, state: 'up' | 'down'): Promise<void> {
  await setHostLink(lab.hierarchies, lab.layout, hostOf(lab, hostName), state);
}
