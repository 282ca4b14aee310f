import type { PassThrough, Writable } from 'node:stream';
import { execa } from 'execa';
import type { HostsEnd } from '../contract/helper-events.ts';
import type { LaunchCommand } from '../ports/scheduler.ts';
import { LastWords } from './last-words.ts';

/** The launcher's process, or processes: one `run-node` per host. */
export interface Launched {
  /** Resolves when all have ended, with the first exit status that is not 0; never rejects. */
  readonly ended: Promise<LauncherEnd>;
  /** The job is open: from now on what comes on standard error is the job's, and is shown. */
  adopt(): void;
  /**
   * Resolves when it has ended. Where every host is done it only has output to deliver, and is given all the time that
   * the reader takes. Where a host may hang it is ended after a while. Hosts that nobody could tell of the end are told
   * by its own, at once, and get that while for their clean-up.
   */
  finish(hosts: HostsEnd): Promise<void>;
  /** The job was refused: ends the launcher, and with it what waits on the hosts; nothing of it is shown. */
  abandon(): Promise<void>;
}

/** As `Scheduler.launchOnEveryHost` gives them. */
export type LaunchCommands = LaunchCommand | readonly LaunchCommand[];

export interface LauncherEnd {
  readonly status: number;
  /** The last of what came on standard error. */
  readonly said: string;
}

/** How long a launcher is waited for. */
export interface LaunchGraces {
  /** By its own end, after that of the job: a host that hangs must not hold the job for ever. */
  readonly finishMs: number;
  /** After TERM, before KILL. */
  readonly abandonMs: number;
}

/** Where the output of a job goes. */
export interface JobOutput {
  readonly stdout: Writable;
  readonly stderr: Writable;
}

const usualGraces: LaunchGraces = { finishMs: 20_000, abandonMs: 5000 };

/**
 * Starts `run-node` on every host by the scheduler's launcher; on a single host too, so that the scheduler's signals,
 * suspension and accounting reach it. It may be called before the job is open: the helpers on the hosts wait for the
 * plan, and have started meanwhile. Output is passed on untouched: to `output`, which stays open, else to this process's own.
 */
export function launchNodes(launch: LaunchCommands, graces = usualGraces, output?: JobOutput): Launched {
  // Kept until the job is open: why a host could not be reached is often said before. (execa drops what nobody reads.)
  const said = new LastWords().setMaxListeners(0);
  // One that fails does not end the others: that a host is missing is told through the store.
  const children = [launch].flat().map((command) => start(command, said, output?.stdout));
  const ended = Promise.all(children.map(async ({ status }) => await status)).then((statuses) => {
    said.end();
    return { status: statuses.find((status) => status !== 0) ?? 0, said: said.tell() };
  });
  const signal = (name: NodeJS.Signals): void => children.forEach(({ kill }) => kill(name));
  const abandon = async (graceMs = graces.abandonMs): Promise<void> => {
    said.resume();
    signal('SIGTERM');
    const force = setTimeout(() => signal('SIGKILL'), graceMs);
    await ended;
    clearTimeout(force);
  };
  return {
    ended,
    adopt: () => void said.pipe(output?.stderr ?? process.stderr, { end: false }),
    finish: async (hosts) => {
      if (hosts === 'untold') await abandon(graces.finishMs);
      const late = hosts === 'unsure' ? setTimeout(() => void abandon(), graces.finishMs) : undefined;
      await ended;
      clearTimeout(late);
    },
    abandon: async () => await abandon(),
  };
}

interface LaunchedChild {
  readonly status: Promise<number>;
  readonly kill: (signal: NodeJS.Signals) => void;
}

function start(command: LaunchCommand, said: PassThrough, stdout?: Writable): LaunchedChild {
  const child = execa(command.file, [...command.argv], {
    stdin: 'ignore',
    stdout: stdout === undefined ? 'inherit' : 'pipe',
    stderr: 'pipe',
    buffer: false,
    env: command.environment,
    reject: false,
    cleanup: false,
  });
  child.stderr.pipe(said, { end: false });
  if (stdout !== undefined) child.stdout?.pipe(stdout, { end: false });
  return {
    // Its streams have ended then, too: what they said is on its way.
    status: child.then(({ exitCode, isTerminated }) => exitCode ?? (isTerminated ? 143 : 69)),
    kill: (signal) => void child.kill(signal),
  };
}
