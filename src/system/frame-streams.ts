import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { encodeFrame } from './frames.ts';

/** Sends what the stream gives as frames of this type, no faster than the other side takes them. */
export function sendStream(stream: Readable, type: number, socket: Socket): void {
  stream.on('data', (bytes: Buffer) => {
    if (socket.destroyed || socket.write(encodeFrame(type, bytes))) return;
    stream.pause();
    socket.once('drain', () => stream.resume());
  });
  socket.on('close', () => stream.resume()); // what nobody reads is thrown away, or its writer never ends
}

/**
 * Writes what a frame brought; the other side waits while a reader of a stream does not take it. A stream whose reader is
 * gone takes nothing any more, and keeps nobody waiting.
 */
export function writeReceived(stream: Writable, bytes: Buffer, socket: Socket): void {
  if (stream.destroyed || stream.write(bytes)) return;
  const full = fullStreams.get(socket) ?? new Set<Writable>();
  if (full.has(stream)) return; // of the same read
  fullStreams.set(socket, full.add(stream));
  socket.pause();
  const goOn = (): void => {
    stream.off('drain', goOn).off('close', goOn);
    full.delete(stream);
    if (full.size === 0) socket.resume();
  };
  // One that fails closes next: it would never drain.
  stream.on('drain', goOn).on('close', goOn);
}

/** The streams for whose readers the other side of a socket waits. */
const fullStreams = new WeakMap<Socket, Set<Writable>>();
