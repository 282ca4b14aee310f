/**
 * What travels between the ssh client program and its agent over the relay's Unix socket: frames of one type byte,
 * four bytes of length and the content. One connection is one remote command.
 *
 * The client program holds no SSH of its own: it would start three times slower, and every command would pay for a new
 * login. The agent has logged in already.
 */
export const frameType = {
  /** Client, first frame: a `RelayRequest` as JSON. */
  open: 1,
  /** Client: bytes for the command's standard input. */
  input: 2,
  /** Client: standard input has ended. */
  inputEnd: 3,
  /** Agent: bytes of the command's standard output, of its standard error. */
  output: 4,
  error: 5,
  /** Agent, last frame: the exit status, one byte. */
  exit: 6,
  /** Agent, last frame: why there is no exit status, one line of text. */
  failed: 7,
} as const;
export type FrameType = (typeof frameType)[keyof typeof frameType];

export interface RelayRequest {
  readonly host: string;
  /** Undefined: whatever the job's user is called. */
  readonly user?: string | undefined;
  /** Undefined: a shell that reads its commands from standard input. */
  readonly command?: string | undefined;
}

export interface Frame {
  readonly type: number;
  readonly content: Buffer;
}

const headerBytes = 5;
/** A command line may be long (Linux allows 128 KiB for one argument); data comes in pieces of at most 64 KiB. */
export const maxFrameBytes = 1024 * 1024;

/** One frame, ready to be written. */
export function encodeFrame(type: FrameType, content: Uint8Array | string = ''): Buffer {
  const bytes = Buffer.from(content);
  const frame = Buffer.allocUnsafe(headerBytes + bytes.length);
  frame.writeUInt8(type, 0);
  frame.writeUInt32BE(bytes.length, 1);
  frame.set(bytes, headerBytes);
  return frame;
}

/** Collects bytes into frames; throws on a frame that is longer than any of ours. */
export class FrameReader {
  private waiting: Buffer = Buffer.alloc(0);

  /** The frames that these bytes complete, in order. */
  read(bytes: Buffer): Frame[] {
    let rest = this.waiting.length === 0 ? bytes : Buffer.concat([this.waiting, bytes]);
    const frames: Frame[] = [];
    while (rest.length >= headerBytes) {
      const length = rest.readUInt32BE(1);
      if (length > maxFrameBytes) throw new RangeError(`a frame of ${length} bytes`);
      if (rest.length < headerBytes + length) break;
      frames.push({ type: rest.readUInt8(0), content: rest.subarray(headerBytes, headerBytes + length) });
      rest = rest.subarray(headerBytes + length);
    }
    this.waiting = rest;
    return frames;
  }
}
