import type { Socket } from 'node:net';

const lineEnd = 0x0a;
const nothing = Buffer.alloc(0);

/** A line is longer than the reader takes. */
export class LineTooLong extends RangeError {
  constructor(mostBytes: number) {
    super(`A line is longer than ${mostBytes} bytes.`);
  }
}

export interface LineBound {
  readonly mostBytes: number;
  /** A longer line fails with `LineTooLong`, or only its first bytes are given. */
  readonly longer?: 'refused' | 'cut';
}

/** Collects bytes into lines, and keeps no more of them than the bound. */
export class LineSplitter {
  readonly #mostBytes: number;
  readonly #isCut: boolean;
  #waiting: Buffer[] = [];
  #length = 0;

  constructor({ mostBytes, longer = 'refused' }: LineBound) {
    this.#mostBytes = mostBytes;
    this.#isCut = longer === 'cut';
  }

  /** Each line that these bytes end, without its line end; what comes after the last one is kept for the next call. */
  *take(bytes: Buffer): Generator<Buffer, void, undefined> {
    let rest = bytes;
    for (let end = rest.indexOf(lineEnd); end >= 0; end = rest.indexOf(lineEnd)) {
      this.#keep(rest.subarray(0, end));
      rest = rest.subarray(end + 1);
      yield this.takeRest();
    }
    this.#keep(rest);
  }

  /** What has come since the last line end. */
  takeRest(): Buffer {
    const rest = this.#waiting.length === 1 ? this.#waiting[0] : Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#length = 0;
    return rest ?? nothing;
  }

  #keep(bytes: Buffer): void {
    const room = this.#mostBytes - this.#length;
    if (room > 0 && bytes.length > 0) this.#waiting.push(bytes.subarray(0, room));
    this.#length += Math.min(bytes.length, room);
    if (bytes.length > room && !this.#isCut) throw new LineTooLong(this.#mostBytes);
  }
}

/** Calls `take` with each line of the socket; a line that is too long, or that `take` throws at, destroys the socket. */
export function readLines(socket: Socket, mostBytes: number, take: (line: string) => void): void {
  const lines = new LineSplitter({ mostBytes });
  socket.on('data', (bytes: Buffer) => {
    try {
      for (const line of lines.take(bytes)) {
        if (socket.destroyed) return;
        take(line.toString());
      }
    } catch (error) {
      socket.destroy(error as Error);
    }
  });
}
