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

/** Writes what a frame brought; the other side waits while the reader of the stream does not take it. */
export function writeReceived(stream: Writable, bytes: Buffer, socket: Socket): void {
  if (stream.write(bytes)) return;
  socket.pause();
  stream.once('drain', () => socket.resume());
}
