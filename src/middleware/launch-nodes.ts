import { fstat } from 'node:fs';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { execa } from 'execa';
import type { ForwardedSignal, HostsEnd } from '../contract/helper-events.ts';
import type { LaunchCommand, TaskEnd } from '../ports/scheduler.ts';
import { awaitDelivery, readerStillMs } from './await-delivery.ts';
import type { DeliveryEnd } from './await-delivery.ts';
import { LastWords } from './last-words.ts';
import { isPassedThrough, passOutput } from './pass-output.ts';
import type { LauncherProcess } from './start-apart.ts';
import { startApart } from './start-apart.ts';
import { TaskEndReader } from './task-end-reader.ts';
import { pause, within } from '../system/deadline.ts';

/** The launcher's process, or processes: one `run-node` per host. */
export interface Launched {
  /** Resolves when all have ended, with the first exit status that is not 0; never rejects. */
  readonly ended: Promise<LauncherEnd>;
  /** The job is open: from now on what comes on standard error is the job's, and is shown. */
  adopt(): void;
  /** The job's command may write from now on: what looks like the launcher's word may be its. One for want of memory still counts. */
  distrustWords(): void;
  /**
   * Resolves when it has ended, and never waits for ever. Where every host is done it only has output to deliver: it is
   * waited for while bytes move, and ended when none does. Where a host may hang it is ended after a while. Hosts that
   * nobody could tell of the end are told by its own, at once, and get that while for their clean-up.
   */
  finish(hosts: HostsEnd): Promise<DeliveryEnd>;
  /** The job was refused: ends the launcher, and with it what waits on the hosts; nothing of it is shown. */
  abandon(): Promise<void>;
}

/** As `Scheduler.launchOnEveryHost` gives them. */
export type LaunchCommands = LaunchCommand | readonly LaunchCommand[];

export interface LauncherEnd {
  readonly status: number;
  /** Set when it was killed; `status` is then 128 more than the signal's number. */
  readonly signal?: string;
  /** The last of what came on standard error. */
  readonly said: string;
}

/** How long a launcher is waited for. */
export interface LaunchGraces {
  /** By its own end, after that of the job: a host that hangs must not hold the job for ever. */
  readonly finishMs: number;
  /** After TERM, before KILL. */
  readonly abandonMs: number;
  /** After KILL, for a launcher that leaves its streams to a process of its own. */
  readonly buryMs: number;
  /** Once every host is done and no byte moves although nothing waits for the reader. */
  readonly silentMs: number;
  /** The same while bytes wait for the reader. */
  readonly readerMs: number;
}

/** Where the output of a job goes. */
export interface JobOutput {
  readonly stdout: Writable;
  readonly stderr: Writable;
}

export interface LaunchOptions {
  readonly graces?: LaunchGraces;
  /** Default: this process's own streams. */
  readonly output?: JobOutput | undefined;
  /** As `Scheduler.readTaskEnd`. */
  readonly readTaskEnd?: ((line: string) => TaskEnd | undefined) | undefined;
  /** Told of each task that has ended by itself before the job's command began, with the last of what was said until then. */
  readonly onTaskEnd?: (end: TaskEnd, said: string) => void;
  /**
   * What starts the task of a host anew that was ended by a signal for the job's command, before the command began;
   * undefined, or without this, its end is told as any other.
   */
  readonly startAgain?: ((host: string, signal: ForwardedSignal) => LaunchCommand | undefined) | undefined;
}

const usualGraces: LaunchGraces = {
  finishMs: 20_000,
  abandonMs: 5000,
  buryMs: 2000,
  silentMs: 8000,
  readerMs: readerStillMs,
};
const wordsMs = 250;

/**
 * Starts `run-node` on every host by the scheduler's launcher; on a single host too, so that the scheduler's signals,
 * suspension and accounting reach it. It may be called before the job is open: the helpers on the hosts wait for the
 * plan, and have started meanwhile. Output is passed on untouched.
 */
export function launchNodes(launch: LaunchCommands, options: LaunchOptions = {}): Launched {
  const { graces = usualGraces, output, readTaskEnd, onTaskEnd = () => undefined, startAgain } = options;
  const targets = output ?? process;
  // Kept until the job is open: why a host could not be reached is often said before. (execa drops what nobody reads.)
  const said = new LastWords().setMaxListeners(0);
  // Words of the task itself may come a moment later than the launcher's word on it.
  const tellings: Promise<void>[] = [];
  const tellLater = (end: TaskEnd): void => void tellings.push(pause(wordsMs).then(() => onTaskEnd(end, said.tell())));
  const taskEnds = new TaskEndReader(readTaskEnd, (end) => {
    const lost = end.hosts.filter((host) => !replace(host, end.signal));
    if (lost.length > 0) tellLater({ ...end, hosts: lost });
  });
  // One that fails does not end the others: that a host is missing is told through the store.
  const children: LaunchedChild[] = [];
  const add = (command: LaunchCommand): void => {
    const child = start(command, said, output?.stdout);
    const { host, stderr, end } = child;
    children.push(child);
    taskEnds.listenTo(stderr);
    if (host !== undefined) void end.then((how) => taskEnds.tell({ hosts: [host], ...describeTaskEnd(how) }));
  };
  const replace = (host: string, signal: ForwardedSignal | undefined): boolean => {
    const command = signal === undefined ? undefined : startAgain?.(host, signal);
    if (command !== undefined) add(command);
    return command !== undefined;
  };
  for (const command of [launch].flat()) add(command);
  const ended = endOfAll(children).then(async (ends): Promise<LauncherEnd> => {
    await Promise.all(tellings);
    said.end();
    const { status = 0, signal } = ends.find((each) => each.status !== 0) ?? {};
    return { status, said: said.tell(), ...(signal === undefined ? {} : { signal }) };
  });
  const hasEnded = ended.then(() => true);
  const signal = (name: NodeJS.Signals): void => children.forEach(({ kill }) => kill(name));
  const abandon = async (graceMs = graces.abandonMs): Promise<void> => {
    taskEnds.stop();
    said.resume();
    signal('SIGTERM');
    if (await within(graceMs, hasEnded, false)) return;
    signal('SIGKILL');
    if (!(await within(graces.buryMs, hasEnded, false))) children.forEach(({ letGo }) => letGo());
    await ended;
  };
  const view = {
    progress: async () => {
      const moved = children.map(({ movedBytes }) => movedBytes());
      return [...moved, targets.stdout.writableLength, targets.stderr.writableLength, await sizeOf(1)].join();
    },
    isReaderBehind: () =>
      targets.stdout.writableLength > 0 ||
      targets.stderr.writableLength > 0 ||
      said.readableLength > 0 ||
      children.some(({ isFull }) => isFull()),
  };
  return {
    ended,
    adopt: () => passOutput(said, targets.stderr),
    distrustWords: () => taskEnds.distrust(),
    finish: async (hosts) => {
      if (hosts === 'untold') await abandon(graces.finishMs);
      if (hosts === 'unsure' && !(await within(graces.finishMs, hasEnded, false))) await abandon();
      const outcome = await awaitDelivery(ended, view, { launcherMs: graces.silentMs, readerMs: graces.readerMs });
      if (outcome !== 'ended') await abandon(graces.buryMs); // nothing is left on any host that TERM could spare
      // What nobody takes must not be waited for once more at this program's end.
      if (outcome === 'unread' && output === undefined) giveUp(process.stdout, process.stderr);
      return outcome;
    },
    abandon: async () => await abandon(),
  };
}

/** How all have ended, those that are added meanwhile included. */
async function endOfAll(children: readonly LaunchedChild[]): Promise<readonly ChildEnd[]> {
  for (;;) {
    const ends = await Promise.all(children.map(async ({ end }) => await end));
    if (ends.length === children.length) return ends;
  }
}

/** A task that has a launcher of its own ends as that does. */
function describeTaskEnd({ how, signal }: ChildEnd): Omit<TaskEnd, 'hosts'> {
  return signal === 'SIGUSR1' || signal === 'SIGUSR2' ? { how, signal } : { how };
}

function giveUp(...streams: readonly Writable[]): void {
  for (const stream of streams) if (stream.writableLength > 0) stream.destroy();
}

/** Where the launcher writes to a file by itself, that grows. */
async function sizeOf(descriptor: number): Promise<number> {
  const found = await promisify(fstat)(descriptor).catch(() => undefined);
  return found?.size ?? 0;
}

interface ChildEnd {
  readonly status: number;
  readonly signal?: string;
  readonly how: string;
}

interface LaunchedChild {
  readonly host: string | undefined;
  readonly stderr: Readable;
  /** Its streams have ended then, too: what they said is on its way. */
  readonly end: Promise<ChildEnd>;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Gives up its streams, which another process holds open. */
  readonly letGo: () => void;
  readonly movedBytes: () => number;
  /** True while bytes have come that could not be passed on yet. */
  readonly isFull: () => boolean;
}

function start(command: LaunchCommand, said: LastWords, stdout?: Writable): LaunchedChild {
  const isPassed = stdout !== undefined || isPassedThrough(1);
  const stdoutKind = isPassed ? 'pipe' : 'inherit';
  const child = command.isApart === true ? startApart(command, stdoutKind) : startBeside(command, stdoutKind);
  let bytes = 0;
  const count = (piece: Buffer): void => void (bytes += piece.length);
  const own = child.stdout ?? undefined;
  child.stderr.pipe(said, { end: false });
  child.stderr.on('data', count);
  if (own !== undefined) passOutput(own.on('data', count), stdout ?? process.stdout);
  const given = Promise.withResolvers<ChildEnd>();
  void child.ending.then(({ status, signal }) => given.resolve(describeEnd(status, signal)));
  return {
    host: command.host,
    stderr: child.stderr,
    end: given.promise,
    kill: (signal) => child.kill(signal),
    letGo: () => {
      child.stderr.destroy();
      own?.destroy();
      given.resolve(describeEnd(undefined, 'SIGKILL'));
    },
    movedBytes: () => bytes,
    isFull: () => (own?.readableLength ?? 0) > 0,
  };
}

/** As our child, and in our process group unless it has one of its own. */
function startBeside(command: LaunchCommand, stdout: 'inherit' | 'pipe'): LauncherProcess {
  const child = execa(command.file, [...command.argv], {
    stdin: 'ignore',
    stdout,
    stderr: 'pipe',
    buffer: false,
    env: command.environment,
    reject: false,
    cleanup: false,
    detached: command.hasOwnGroup === true,
  });
  return {
    stdout: child.stdout,
    stderr: child.stderr,
    ending: child.then(({ exitCode, signal }) =>
      signal === undefined ? { status: exitCode ?? 69 } : { status: statusOfSignal(signal), signal },
    ),
    kill: (signal) => void child.kill(signal),
  };
}

/** Without a status and a signal it could not be started at all. */
function describeEnd(exitCode: number | undefined, signal: string | undefined): ChildEnd {
  if (signal !== undefined) return { status: statusOfSignal(signal), signal, how: `was killed (${signal})` };
  return { status: exitCode ?? 69, how: `ended with exit status ${exitCode ?? 69}` };
}

/** As a shell tells it. */
function statusOfSignal(signal: string): number {
  return 128 + constants.signals[signal as NodeJS.Signals];
}
