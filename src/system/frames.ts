/** One piece of what two of our programs say to each other over a Unix socket. */
export interface Frame {
  readonly type: number;
  readonly content: Buffer;
}

const headerBytes = 5;
/** A command line may be long (Linux allows 128 KiB for one argument); data comes in pieces of at most 64 KiB. */
export const maxFrameBytes = 1024 * 1024;

/** One frame, ready to be written: a byte of type, four bytes of length, the content. */
export function encodeFrame(type: number, content: Uint8Array | string = ''): Buffer {
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
