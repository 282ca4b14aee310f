import { PassThrough } from 'node:stream';
import type { TransformCallback } from 'node:stream';

/** Enough for why a launcher could not do its work. */
const keptBytes = 2000;

/** Passes all on unchanged, and remembers the end of it. */
export class LastWords extends PassThrough {
  #kept = Buffer.alloc(0);

  override _transform(piece: Buffer, encoding: BufferEncoding, done: TransformCallback): void {
    this.#kept = Buffer.concat([this.#kept, piece]).subarray(-keptBytes);
    super._transform(piece, encoding, done);
  }

  /** The last of what came so far, as text. */
  tell(): string {
    return this.#kept.toString();
  }
}
