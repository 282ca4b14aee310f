import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import type { ReadStream, WriteStream } from 'node:tty';
import type { EnterRequest } from '../../contract/enter-protocol.ts';
import { enteredLine, enterFrames, maxRequestBytes } from '../../contract/enter-protocol.ts';
import type { LaunchCommand } from '../../ports/scheduler.ts';
import { within } from '../../system/deadline.ts';
import { encodeFrame } from '../../system/frames.ts';
import { JobError } from '../../values/errors.ts';
import { helperArgv } from '../call-helper.ts';
import type { ShellPlace } from './find-place.ts';

/** How often we say that we are there, and for how long the helper waits for that. */
const aliveMs = 30_000;
const mostSilenceSeconds = 300;
/** What the helper says besides the output of what runs: a line or two. */
const mostWords = 64 * 1024;
/** In which the helper ends what runs, when we are told to end. */
const endMs = 15_000;

/**
 * Has the helper run the command in the container of a node, with our terminal when our input and output are one, else with
 * our pipes: that of this host, or, by the scheduler's launcher, that of the node's. Either ends what runs when our pipe to
 * it ends. Resolves to its exit status.
 */
export async function enterByHelper(place: ShellPlace, command: readonly string[]): Promise<number> {
  const { stdin, stdout, stderr } = process;
  const terminal = stdin.isTTY && stdout.isTTY ? { input: stdin, output: stdout } : undefined;
  const request = encodeRequest(place, command, terminal?.output);
  const { file, argv, environment } = callOf(place);
  const child = spawn(file, argv, {
    stdio: 'pipe',
    // In a session of its own: what a terminal or a scheduler sends to our group is for us to judge.
    detached: true,
    env: { ...process.env, ...environment },
  });
  const { stdin: pipe } = child;
  const ended = endOf(child);
  pipe.on('error', () => undefined); // it has ended: its status says how
  pipe.write(request);
  using mode = new TerminalMode(terminal?.input);
  const said = terminal === undefined ? undefined : listenToHelper(child.stderr, () => mode.giveKeys());
  if (terminal === undefined) child.stderr.pipe(stderr, { end: false });
  child.stdout.pipe(stdout, { end: false });
  const left = Promise.withResolvers<undefined>();
  using leave = leaveOnSignals(() => left.resolve(endSoon(child.stdout, pipe, ended)));
  stdout.once('close', () => leave.now('SIGPIPE')); // as in `shell … | head`: nobody reads any more
  using _signs = giveSigns(place, pipe, terminal?.output);
  sendInput(stdin, pipe);
  const status = await Promise.race([ended, left.promise]);
  mode.takeKeys();
  stdin.destroy();
  stderr.write(said?.() ?? '');
  return leave.status() ?? status ?? 0;
}

/** By closing the pipe we are gone: the helper then ends what runs, and itself. */
async function endSoon(output: Readable, pipe: Writable, ended: Promise<number>): Promise<undefined> {
  pipe.end();
  output.destroy(); // what nobody reads must not hold the helper
  await within(
    endMs,
    ended.catch(() => undefined),
    undefined,
  );
  return undefined;
}

/** Tells of another size of our terminal; and that we are there, where a launcher does not tell when we are not. */
function giveSigns(place: ShellPlace, pipe: Writable, output: WriteStream | undefined): Disposable {
  const onResize = (): void => {
    if (output !== undefined) pipe.write(encodeFrame(enterFrames.resize, JSON.stringify(sizeOf(output))));
  };
  output?.on('resize', onResize);
  const beat =
    place.kind === 'here' ? undefined : setInterval(() => pipe.write(encodeFrame(enterFrames.alive)), aliveMs);
  return {
    [Symbol.dispose]: () => {
      output?.off('resize', onResize);
      clearInterval(beat);
    },
  };
}

function callOf(place: ShellPlace): LaunchCommand {
  const [file, ...argv] = helperArgv('enter-job', place.job, String(place.index));
  if (place.kind === 'here') return { file, argv, environment: {} };
  return place.reach.launchBeside(place.reached, place.host, [file, ...argv]);
}

function encodeRequest(place: ShellPlace, command: readonly string[], terminal: WriteStream | undefined): Buffer {
  const name = process.env['TERM'] ?? '';
  const request: EnterRequest = {
    command: [...command],
    ...(place.kind === 'here' ? {} : { mostSilenceSeconds }),
    ...(terminal === undefined
      ? {}
      : { terminal: { ...(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/.test(name) ? { name } : {}), ...sizeOf(terminal) } }),
  };
  const text = JSON.stringify(request);
  if (Buffer.byteLength(text) <= maxRequestBytes) return encodeFrame(enterFrames.request, text);
  throw new JobError({
    code: 'USAGE',
    message: `The command is longer than ${maxRequestBytes / 1024} KiB.`,
    hint: 'Put it into a script that the container can see.',
  });
}

/** A terminal that does not know its size says 0. */
function sizeOf({ columns, rows }: WriteStream): { readonly columns: number; readonly rows: number } {
  return { columns: columns || 80, rows: rows || 24 };
}

/** Who has the keys of our terminal: until what runs is there, Ctrl-C ends us. */
class TerminalMode implements Disposable {
  readonly #input: ReadStream | undefined;

  constructor(input: ReadStream | undefined) {
    this.#input = input;
  }

  giveKeys(): void {
    this.#input?.setRawMode(true);
  }

  takeKeys(): void {
    if (this.#input?.isRaw === true && !this.#input.destroyed) this.#input.setRawMode(false);
  }

  [Symbol.dispose](): void {
    this.takeKeys();
  }
}

/** Keeps what the helper says until the terminal is ours again; calls `onEntered` at its word. */
function listenToHelper(words: Readable, onEntered: () => void): () => string {
  let said = '';
  let isEntered = false;
  words.on('data', (bytes: Buffer) => {
    if (said.length < mostWords) said += bytes.toString('utf8');
    const lines = said.split('\n');
    if (isEntered || !lines.includes(enteredLine)) return;
    isEntered = true;
    onEntered();
  });
  return () =>
    said
      .split(/(?<=\n)/)
      .filter(isForUser)
      .join('');
}

/** Not our own word, and not srun's, which repeats the status that we end with. */
function isForUser(line: string): boolean {
  return line !== `${enteredLine}\n` && !/^srun: error: \S+ task 0: Exited with exit code \d+\n$/.test(line);
}

/** As fast as the helper takes it. The pipe itself stays open: its end says that we are gone. */
function sendInput(input: Readable, pipe: Writable): void {
  input.on('data', (bytes: Buffer) => {
    if (pipe.write(encodeFrame(enterFrames.input, bytes))) return;
    input.pause();
    pipe.once('drain', () => input.resume());
  });
  for (const event of ['end', 'error']) input.once(event, () => pipe.write(encodeFrame(enterFrames.inputEnd)));
}

/** Calls `end` once, at the first signal that means us. */
function leaveOnSignals(end: () => void): Disposable & {
  readonly now: (signal: NodeJS.Signals) => void;
  readonly status: () => number | undefined;
} {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  let status: number | undefined;
  const now = (signal: NodeJS.Signals): void => {
    if (status !== undefined) return;
    status = 128 + constants.signals[signal];
    end();
  };
  for (const signal of signals) process.on(signal, now);
  return {
    now,
    status: () => status,
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, now);
    },
  };
}

async function endOf(child: ChildProcess): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once('error', (error) => {
    reject(
      new JobError({
        code: 'HELPER_UNAVAILABLE',
        message: `The helper could not be used on this host: ${error.message}.`,
        hint: 'Ask the administrators to run hpc-dockerjob-setup here (it installs the sudo rule).',
        cause: error,
      }),
    );
  });
  child.once('close', (status, signal) => resolve(status ?? 128 + constants.signals[signal ?? 'SIGKILL']));
  return await promise;
}
