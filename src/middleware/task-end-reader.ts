import type { Readable } from 'node:stream';
import { killedForMemory } from '../contract/helper-events.ts';
import type { TaskEnd } from '../ports/scheduler.ts';
import { LineSplitter } from '../system/lines.ts';

/** No line of a launcher is longer; more of one is not kept. */
const longestLine = 4000;

/** Reads what a launcher says of tasks that have ended, until it is over. */
export class TaskEndReader {
  readonly #read: (line: string) => TaskEnd | undefined;
  readonly #onEnd: (end: TaskEnd) => void;
  #isOver = false;
  #isTrusted = true;

  constructor(
    read: (line: string) => TaskEnd | undefined = () => undefined,
    onEnd: (end: TaskEnd) => void = () => undefined,
  ) {
    this.#read = read;
    this.#onEnd = onEnd;
  }

  /** A further stream of the launcher, read beside whoever else reads it. */
  listenTo(stream: Readable): void {
    const lines = new LineSplitter({ mostBytes: longestLine, longer: 'cut' });
    const look = (piece: Buffer): void => {
      if (this.#isOver) {
        stream.off('data', look);
        return;
      }
      for (const line of lines.take(piece)) {
        const end = this.#read(line.toString('latin1'));
        if (end !== undefined) this.tell(end);
      }
    };
    stream.on('data', look);
  }

  /** A task whose end was seen in another way. */
  tell(end: TaskEnd): void {
    if (!this.#isOver && (this.#isTrusted || end.how === killedForMemory)) this.#onEnd(end);
  }

  /** From now on a line may be the command's own: only the one that does no harm when it is believed counts. */
  distrust(): void {
    this.#isTrusted = false;
  }

  stop(): void {
    this.#isOver = true;
  }
}
