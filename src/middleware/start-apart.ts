import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { Duplex } from 'node:stream';
import type { Readable } from 'node:stream';
import type { LaunchCommand } from '../ports/scheduler.ts';

/** How a launcher ended. */
export interface Ending {
  /** 128 + number after a signal. */
  readonly status: number;
  readonly signal?: NodeJS.Signals;
}

/** A launcher that runs. */
export interface LauncherProcess {
  /** Undefined when its output goes to this process's own. */
  readonly stdout: Readable | null;
  readonly stderr: Readable;
  /** How it ended, known once its output has ended, too; status 69 when it could not be started. Never rejects. */
  readonly ending: Promise<Ending>;
  kill(signal: NodeJS.Signals): void;
}

/**
 * Keeps the launcher: says its status on descriptor 3, and takes names of signals for it there. When that is closed without
 * one, who has started it is dead: the launcher then has some time to end with its job, and is ended.
 * TERM alone ends the launcher: a batch system that finds it all the same sends the other signals first.
 */
const keeper = `
trap '' HUP INT USR1 USR2 TSTP TTIN TTOU
"$@" 3>&- &
launcher=$!
(
  while read -r name; do kill -s "$name" "$launcher"; done <&3
  trap 'kill "$pause"; exit' TERM
  for step in TERM:20 KILL:5; do
    sleep "\${step#*:}" & pause=$!
    wait "$pause"
    kill -s "\${step%:*}" "$launcher"
  done
) >/dev/null 2>&1 &
watch=$!
trap '' TERM
wait "$launcher" 2>/dev/null
status=$?
kill -s TERM "$watch"
wait "$watch" 2>/dev/null
echo "$status" >&3
`;

const notStarted = 69;
const signalBase = 128;

/**
 * Starts a command in a session of its own, and as nobody's child: batch systems signal the process group of a job and,
 * once they have seen them, its descendants. Its standard input is empty.
 */
export function startApart(command: LaunchCommand, stdout: 'inherit' | 'pipe'): LauncherProcess {
  const argv = ['--fork', '/bin/sh', '-c', keeper, 'hpc-dockerjob-launcher', command.file, ...command.argv];
  const child = spawn('/usr/bin/setsid', argv, {
    stdio: ['ignore', stdout, 'pipe', 'pipe'],
    env: { ...process.env, ...command.environment },
  });
  const { stderr } = child;
  const channel = child.stdio[3];
  if (stderr === null || !(channel instanceof Duplex)) throw new Error('A launcher was started without its pipes.');
  let said = '';
  channel.on('data', (data: Buffer) => (said += data.toString('latin1')));
  channel.on('error', () => undefined); // it has ended
  return {
    stdout: child.stdout,
    stderr,
    ending: new Promise((resolve) => {
      child.on('error', () => resolve({ status: notStarted }));
      child.on('close', () => resolve(readEnding(said)));
    }),
    kill: (signal) => void (channel.writable && channel.write(`${signal.slice('SIG'.length)}\n`)),
  };
}

/** A shell tells death by a signal as a status, so a launcher's own status of that number is taken for one. */
function readEnding(said: string): Ending {
  if (!/^\d+\n$/.test(said)) return { status: notStarted };
  const status = Number(said);
  const name = Object.entries(constants.signals).find(([, number]) => signalBase + number === status)?.[0];
  return { status, ...(name === undefined ? {} : { signal: name as NodeJS.Signals }) };
}
