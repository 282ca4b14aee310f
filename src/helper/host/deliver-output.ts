import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { ContainerOutput } from '../../ports/container-engine.ts';
import { flushOutput } from '../../system/flush-output.ts';
import { within } from '../../system/deadline.ts';

/** Most that is kept in memory for a slow reader once the job is over; the engine itself holds about 1 MiB. */
const keptBytes = 16 * 1024 * 1024;
const lookEveryMs = 250;

export interface OutputTargets {
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** How long a reader may stand still before the rest of the output is given up. */
export interface Patience {
  /** While nobody has told this process to end. */
  readonly standStillMs: number;
  /** Once `told` has aborted; also how long the engine may stand still. */
  readonly toldMs: number;
  readonly told: AbortSignal;
}

/** The way of a container's output to this process's own standard output and error. */
export class OutputDelivery {
  readonly #targets: OutputTargets;
  readonly #over = Promise.withResolvers<undefined>();
  #isOver = false;
  #deliveredBytes = 0;
  #droppedBytes = 0;
  #taken: Promise<unknown> = Promise.resolve();
  #isTaken = true;

  constructor(targets: OutputTargets) {
    this.#targets = targets;
  }

  /** Begins to pass the output on; while a reader is behind no more is taken from the engine, so the job waits for it. */
  begin(output: ContainerOutput): void {
    this.#isTaken = false;
    this.#taken = Promise.all([
      this.#pass(output.stdout, this.#targets.stdout),
      this.#pass(output.stderr, this.#targets.stderr),
    ])
      .catch(() => undefined) // the engine has broken off: what it gave is delivered all the same
      .then(() => (this.#isTaken = true));
  }

  /**
   * The job is over: all is taken from the engine without waiting for the reader, for an engine that cannot get rid of
   * output removes no container. Resolves when the engine has nothing more.
   */
  async takeRest(): Promise<void> {
    this.#isOver = true;
    this.#over.resolve(undefined);
    await this.#taken;
  }

  /**
   * Resolves when the reader has all that was taken, has gone, or has stood still for too long. To be called when nothing
   * of the job is left on the host: it lasts as long as the reader takes.
   */
  async finish(patience: Patience): Promise<void> {
    const { stdout, stderr } = this.#targets;
    const through = this.#taken
      .then(async () => await Promise.all([flushOutput(stdout), flushOutput(stderr)]))
      .then(() => true);
    let moved = this.#progress();
    let movedAt = performance.now();
    for (;;) {
      if (await within(lookEveryMs, through, false)) break;
      const now = this.#progress();
      if (now !== moved) movedAt = performance.now();
      moved = now;
      const isImpatient = patience.told.aborted || !this.#isTaken; // an engine that hangs will give nothing more
      const limitMs = isImpatient ? patience.toldMs : patience.standStillMs;
      if (performance.now() - movedAt > limitMs) return;
    }
    if (this.#droppedBytes > 0) {
      stderr.write(
        `hpc-submit-dockerjob: note: the last ${this.#droppedBytes} bytes of the output were discarded: the job was over and its reader too slow\n`,
      );
      await within(lookEveryMs, flushOutput(stderr), undefined);
    }
  }

  #progress(): string {
    const { stdout, stderr } = this.#targets;
    return [this.#deliveredBytes, stdout.writableLength, stderr.writableLength].join();
  }

  async #pass(source: NodeJS.ReadableStream, target: Writable): Promise<void> {
    for await (const piece of source as AsyncIterable<Buffer>) {
      if (target.destroyed) return; // the reader has gone: leaving the loop lets the source go, too
      if (target.writableLength > keptBytes) {
        this.#droppedBytes += piece.length;
        continue;
      }
      const hasRoom = target.write(piece, () => void (this.#deliveredBytes += piece.length));
      if (!hasRoom && !this.#isOver) await this.#untilRoom(target);
    }
  }

  async #untilRoom(target: Writable): Promise<void> {
    const settled = new AbortController();
    const { signal } = settled;
    try {
      // A stream that fails closes next.
      const events = ['drain', 'close'].map(async (event): Promise<void> => {
        await once(target, event, { signal });
      });
      await Promise.race([...events, this.#over.promise]).catch(() => undefined);
      for (const event of events) event.catch(() => undefined);
    } finally {
      settled.abort();
    }
  }
}
