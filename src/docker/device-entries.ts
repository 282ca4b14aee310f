import { ImageFault } from './read-image-files.ts';

/** A file of an image that stands for a device of the host. */
export interface DeviceFile {
  /** Undefined where an archive tells it in more than one place. */
  readonly path: string | undefined;
  readonly kind: 'block' | 'character';
  readonly major: number;
  readonly minor: number;
  /** Permissions, in the form of lstat's mode. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

const blockBytes = 512;
/** Headers that describe the next entry hold its whole name. */
const mostHeaderBytes = 1024 * 1024;
/** Headers that may name the entry behind them: PAX and GNU's. */
const namesNext: readonly string[] = ['x', 'g', 'L'];
/** PAX headers; what they say is read as a whole. */
const wordsBefore: readonly string[] = ['x', 'g'];
/** Of a file of 8 GiB and more: its contents would be taken for entries, with what its maker wrote there. */
const sizeWord = /(?:^|\n)\d+ size=/;
const deviceKinds: Readonly<Record<string, DeviceFile['kind']>> = { '3': 'character', '4': 'block' };

/** Finds the device files in a tar archive that comes in pieces; contents of files are passed over. */
export class DeviceEntries {
  readonly found: DeviceFile[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #skip = 0;
  /** The next entry has another name than its own header says. */
  #isRenamed = false;

  /** The next piece. Fails with `ImageFault` for what is no tar archive. */
  take(piece: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, piece]);
    for (;;) {
      const skipped = Math.min(this.#skip, this.#rest.length);
      this.#skip -= skipped;
      this.#rest = this.#rest.subarray(skipped);
      if (this.#skip > 0 || this.#rest.length < blockBytes) return;
      const header = this.#rest.subarray(0, blockBytes);
      const size = sizeOf(header);
      const isWords = wordsBefore.includes(typeOf(header));
      if (isWords && this.#rest.length < blockBytes + size) return;
      if (isWords && sizeWord.test(this.#rest.toString('latin1', blockBytes, blockBytes + size))) throw noArchive();
      this.#rest = this.#rest.subarray(blockBytes);
      if (header.every((byte) => byte === 0)) continue;
      this.#skip = Math.ceil(size / blockBytes) * blockBytes;
      const device = readDevice(header);
      if (device !== undefined) this.found.push(this.#isRenamed ? { ...device, path: undefined } : device);
      this.#isRenamed = namesNext.includes(typeOf(header)) || (this.#isRenamed && typeOf(header) === 'K');
    }
  }
}

function readDevice(header: Buffer): DeviceFile | undefined {
  const kind = deviceKinds[typeOf(header)];
  if (kind === undefined) return undefined;
  const [mode, uid, gid, major, minor] = [
    field(header, 100, 8),
    field(header, 108, 8),
    field(header, 116, 8),
    field(header, 329, 8),
    field(header, 337, 8),
  ];
  return { path: pathOf(header), kind, major, minor, mode, uid, gid };
}

function typeOf(header: Buffer): string {
  return String.fromCharCode(header[156] ?? 0);
}

function pathOf(header: Buffer): string | undefined {
  const name = header.toString('utf8', 0, 100).replace(/\0.*$/s, '');
  const isWhole = header[345] === 0 && header[99] === 0 && !name.split('/').includes('..');
  return isWhole ? `/${name.replace(/^(?:\.\/)+/, '')}` : undefined;
}

/** Of entries without a content the archive gives none, whatever stands there. */
function sizeOf(header: Buffer): number {
  const size = field(header, 124, 12);
  if (['1', '2', '3', '4', '5', '6'].includes(typeOf(header))) return 0;
  if ([...namesNext, 'K'].includes(typeOf(header)) && size > mostHeaderBytes) throw noArchive();
  return size;
}

/** A number in octal digits, or, where they find no room, in bytes behind a first one of 0x80. */
function field(header: Buffer, start: number, length: number): number {
  if ((header[start] ?? 0) === 0x80)
    return header.subarray(start + 1, start + length).reduce((sum, byte) => sum * 256 + byte, 0);
  const digits = header
    .toString('latin1', start, start + length)
    .replace(/\0.*$/s, '')
    .trim();
  if (!/^[0-7]*$/.test(digits)) throw noArchive();
  return Number.parseInt(digits || '0', 8);
}

function noArchive(): ImageFault {
  return new ImageFault('its files cannot be looked through');
}
