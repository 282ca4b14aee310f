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
  private waiting: Buffer[] = [];
  private waitingBytes = 0;
  /** So many bytes must be there before it pays to look: pieces of a long frame are put together once. */
  private wantedBytes = headerBytes;

  /** The frames that these bytes complete, in order. */
  read(bytes: Buffer): Frame[] {
    this.waiting.push(bytes);
    this.waitingBytes += bytes.length;
    if (this.waitingBytes < this.wantedBytes) return [];
    let rest = this.waiting.length === 1 ? bytes : Buffer.concat(this.waiting);
    const frames: Frame[] = [];
    this.wantedBytes = headerBytes;
    while (rest.length >= headerBytes) {
      const length = rest.readUInt32BE(1);
      if (length > maxFrameBytes) throw new RangeError(`a frame of ${length} bytes`);
      this.wantedBytes = headerBytes + length;
      if (rest.length < this.wantedBytes) break;
      frames.push({ type: rest.readUInt8(0), content: rest.subarray(headerBytes, headerBytes + length) });
      rest = rest.subarray(headerBytes + length);
      this.wantedBytes = headerBytes;
    }
    this.waiting = [rest];
    this.waitingBytes = rest.length;
    return frames;
  }
}
