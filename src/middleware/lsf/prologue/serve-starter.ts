import { once } from 'node:events';
import { rm, rmdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { dirname } from 'node:path';
import { PassThrough } from 'node:stream';
import { asClause, JobError } from '../../../values/errors.ts';
import { sendStream } from '../../../system/frame-streams.ts';
import { encodeFrame, FrameReader } from '../../../system/frames.ts';
import type { Frame } from '../../../system/frames.ts';
import type { JobEnd } from '../../../contract/helper-events.ts';
import type { LateCommand } from '../../../contract/job-request.ts';
import type { JobOutput } from '../../launch-nodes.ts';
import type { SignalTargets } from '../../pass-signals.ts';
import { routeSignal } from '../../pass-signals.ts';
import { heldFrame, heldSignals, runOrderSchema } from './held-job.ts';
import type { HeldFor } from './held-job.ts';
import { findJsonAs, parseJsonAs } from '../../../values/parse-json-as.ts';

/** The holder's side of the socket at which the job's script is awaited. */
export interface StarterServer {
  /** To be written to by the job; waits for the script to read it. */
  readonly output: JobOutput;
  /** Who is told what the script hears, and of its death. */
  listen(targets: SignalTargets): Disposable;
  /** From now on a script may give the job its command. */
  accept(give: (late: LateCommand) => void): void;
  /** The job is over, though not yet taken away: no script is awaited any more. */
  close(): void;
  /**
   * Delivers what is left of the output and then how the job ended; resolves when nothing listens any more. A script that
   * came when the job was over already is sent away, as one that comes later: it is on its own.
   */
  finish(end: JobEnd): Promise<void>;
}

/** Listens at `socketPath`, whose directory is the user's alone. Fails with `JOB_BUSY` when somebody does already. */
export async function serveStarter(socketPath: string, heldFor: HeldFor): Promise<StarterServer> {
  const server = new Listener(socketPath, heldFor);
  await server.open();
  return server;
}

class Listener implements StarterServer {
  readonly output = { stdout: new PassThrough(), stderr: new PassThrough() };
  readonly #socketPath: string;
  readonly #heldFor: HeldFor;
  readonly #server = createServer((socket) => this.#serve(socket));
  readonly #dismissing = new Set<Socket>();
  #script: Socket | undefined;
  #targets: SignalTargets | undefined;
  #isUnwanted = false;
  #hasEnded = false;
  #isGone = false;
  #give: ((late: LateCommand) => void) | undefined;

  constructor(socketPath: string, heldFor: HeldFor) {
    this.#socketPath = socketPath;
    this.#heldFor = heldFor;
  }

  async open(): Promise<void> {
    this.#server.listen(this.#socketPath);
    await once(this.#server, 'listening').catch((error: unknown) => {
      throw new JobError({
        code: 'JOB_BUSY',
        message: `The job starter cannot be awaited at ${this.#socketPath}: ${asClause(error)}.`,
        hint: 'If no job of yours runs on this host, remove it.',
      });
    });
    this.#server.on('error', () => undefined); // a failing accept hits one connection
  }

  listen(targets: SignalTargets): Disposable {
    this.#targets = targets;
    if (this.#isUnwanted) targets.cancel('SIGTERM');
    return { [Symbol.dispose]: () => (this.#targets = undefined) };
  }

  accept(give: (late: LateCommand) => void): void {
    this.#give = give;
  }

  close(): void {
    this.#hasEnded = true;
    // Or who writes to them would wait for a reader for ever, and the release for the writer.
    if (this.#script === undefined) for (const stream of Object.values(this.output)) stream.resume();
  }

  async finish(end: JobEnd): Promise<void> {
    this.close();
    this.#server.close();
    await Promise.all(
      Object.values(this.output).map(async (stream) => {
        const over = stream.readableEnded ? undefined : once(stream, 'end');
        stream.end();
        await over;
      }),
    );
    const isLate = end.by === 'middleware' && end.code === 'SCRIPT_LATE';
    if (!isLate) await close(this.#script, encodeFrame(heldFrame.end, JSON.stringify(end)));
    else if (this.#script !== undefined) this.#dismissing.add(this.#script);
    await rm(this.#socketPath, { force: true });
    await rmdir(dirname(this.#socketPath)).catch(() => undefined); // another job is held
    this.#isGone = true;
    for (const socket of this.#dismissing) await close(socket, encodeFrame(heldFrame.dismissed));
  }

  #serve(socket: Socket): void {
    const frames = new FrameReader();
    socket.on('data', (bytes) => {
      try {
        frames.read(bytes).forEach((frame) => this.#take(frame, socket));
      } catch {
        socket.destroy(); // not our language
      }
    });
    socket.on('error', () => socket.destroy());
    // Its script is gone: nobody is left to hear how the job ends.
    socket.on('close', () => socket === this.#script && !this.#hasEnded && this.#cancel());
  }

  #take({ type, content }: Frame, socket: Socket): void {
    if (socket === this.#script) {
      const signal = heldSignals.find((name) => name === content.toString());
      if (type === heldFrame.signal && signal !== undefined && this.#targets) routeSignal(signal, this.#targets);
    } else if (type === heldFrame.run && this.#fits(content)) this.#run(content, socket);
    else this.#dismiss(socket);
  }

  #fits(content: Buffer): boolean {
    if (this.#give === undefined || this.#script !== undefined || this.#isUnwanted || this.#hasEnded) return false;
    const { application, image, workdir } = this.#heldFor;
    const wanted = findJsonAs(runOrderSchema, content.toString())?.wanted;
    return wanted?.application === application && wanted?.image === image && wanted?.workdir === workdir;
  }

  #run(content: Buffer, socket: Socket): void {
    const { wanted: _wanted, ...late } = parseJsonAs(runOrderSchema, content.toString());
    this.#script = socket;
    socket.write(encodeFrame(heldFrame.taken));
    sendStream(this.output.stdout, heldFrame.output, socket);
    sendStream(this.output.stderr, heldFrame.error, socket);
    this.#give?.(late);
  }

  #dismiss(socket: Socket): void {
    if (this.#isGone) {
      void close(socket, encodeFrame(heldFrame.dismissed)); // it connected just before nobody listened any more
      return;
    }
    this.#dismissing.add(socket);
    socket.once('close', () => this.#dismissing.delete(socket));
    if (this.#script === undefined) this.#cancel();
    else socket.destroy(); // a script has it: only that one can end it
  }

  #cancel(): void {
    this.#isUnwanted = true;
    this.#targets?.cancel('SIGTERM');
  }
}

/** Resolves when the other side has taken all of it, or is gone. */
async function close(socket: Socket | undefined, lastFrame: Buffer): Promise<void> {
  if (socket === undefined || socket.destroyed) return;
  const closed = once(socket, 'close');
  socket.end(lastFrame);
  socket.resume();
  await closed;
}
