import type { Socket } from 'node:net';

const newline = 0x0a;

/** Calls `onLine` with each whole line of the socket; destroys the socket when a line is longer than `maxBytes`. */
export function splitLines(socket: Socket, maxBytes: number, onLine: (line: string) => void): void {
  let parts: Buffer[] = [];
  let length = 0;
  socket.on('data', (data: Buffer) => {
    let rest = data;
    for (let at = rest.indexOf(newline); at >= 0 && !socket.destroyed; at = rest.indexOf(newline)) {
      onLine(Buffer.concat([...parts, rest.subarray(0, at)]).toString());
      parts = [];
      length = 0;
      rest = rest.subarray(at + 1);
    }
    parts.push(rest);
    length += rest.length;
    if (length > maxBytes) socket.destroy(new Error(`A line is longer than ${maxBytes} bytes.`));
  });
}
