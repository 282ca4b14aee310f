/** The client of enter-job is the user's: it may send anything, at any speed, or nothing. */
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import { PassThrough, Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { enterFrames } from '../../../src/contract/enter-protocol.ts';
import type { WindowSize } from '../../../src/contract/enter-protocol.ts';
import { meetClient } from '../../../src/helper/enter/meet-client.ts';
import { encodeFrame } from '../../../src/system/frames.ts';

const request = encodeFrame(enterFrames.request, '{"command":["cat"]}');

function target<Input extends Writable>(
  input: Input,
): {
  readonly input: Input;
  readonly sizes: WindowSize[];
  readonly resize: (size: WindowSize) => Promise<void>;
} {
  const sizes: WindowSize[] = [];
  const resize = async (size: WindowSize): Promise<void> => {
    sizes.push(size);
    await turn();
    await turn();
  };
  return { input, sizes, resize };
}

it.each([
  ['no request at all', Buffer.alloc(0)],
  ['bytes that are no frame', Buffer.alloc(64, 0xff)],
  ['input before the request', encodeFrame(enterFrames.input, 'x')],
  ['a request that is no JSON', encodeFrame(enterFrames.request, '{')],
  ['a request with more than it may have', encodeFrame(enterFrames.request, '{"command":[],"user":"root"}')],
  ['a word with a zero byte', encodeFrame(enterFrames.request, '{"command":["a\\u0000b"]}')],
  ['a request too long for an argument', encodeFrame(enterFrames.request, `{"command":["${'x'.repeat(70_000)}"]}`)],
  [
    'a terminal that is a path',
    encodeFrame(enterFrames.request, '{"command":[],"terminal":{"name":"../x","columns":1,"rows":1}}'),
  ],
])('refuses %s', async (_, bytes) => {
  const stream = new PassThrough();
  stream.end(bytes);
  await expect(meetClient(stream)).rejects.toMatchObject({ code: 'USAGE' });
});

it('passes on what came in one piece with the request, in its order', async () => {
  const stream = new PassThrough();
  const to = target(new PassThrough());
  stream.write(Buffer.concat([request, encodeFrame(enterFrames.input, 'one '), encodeFrame(enterFrames.input, 'two')]));
  const client = await meetClient(stream);
  expect(client.request.command).toEqual(['cat']);
  client.follow(to);
  stream.write(encodeFrame(enterFrames.inputEnd));
  expect(String(Buffer.concat(await to.input.toArray()))).toBe('one two');
});

it('takes no more than the program takes', async () => {
  const stream = new PassThrough({ highWaterMark: 1024 });
  const stuck = new Writable({ highWaterMark: 1024, write: () => undefined });
  stream.write(request);
  const client = await meetClient(stream);
  client.follow(target(stuck));
  let written = 0;
  for (let round = 0; round < 200; round += 1) {
    if (!stream.write(encodeFrame(enterFrames.input, Buffer.alloc(1024)))) await turn();
    written += 1024;
  }
  expect(written).toBe(200 * 1024);
  expect(stuck.writableLength).toBeLessThan(8 * 1024);
});

it('asks for the last of many sizes, one at a time', async () => {
  const stream = new PassThrough();
  const to = target(new PassThrough());
  stream.write(request);
  const client = await meetClient(stream);
  client.follow(to);
  const sizes = Array.from({ length: 1000 }, (_, at) => ({ columns: at + 1, rows: 1 }));
  stream.write(Buffer.concat(sizes.map((size) => encodeFrame(enterFrames.resize, JSON.stringify(size)))));
  await expect.poll(() => to.sizes.at(-1)).toEqual({ columns: 1000, rows: 1 });
  expect(to.sizes.length).toBeLessThan(5);
});

it('takes a client for gone that is silent for longer than it said, and no other', async () => {
  const silent = encodeFrame(enterFrames.request, '{"command":[],"mostSilenceSeconds":1}');
  const [quiet, lively] = [new PassThrough(), new PassThrough()];
  quiet.write(silent);
  lively.write(silent);
  const clients = [await meetClient(quiet), await meetClient(lively)];
  for (const client of clients) client.follow(target(new PassThrough()));
  const beat = setInterval(() => lively.write(encodeFrame(enterFrames.alive)), 100);
  const gone = await Promise.race(clients.map(async (client, at) => await client.gone.then(() => at)));
  const isHeard = await Promise.race([clients[1]?.gone.then(() => false), pause(1500, true)]);
  clearInterval(beat);
  expect([gone, isHeard]).toEqual([0, true]);
});

it.each([
  ['its pipe ends', (stream: PassThrough) => void stream.end()],
  ['it sends a frame of no known type', (stream: PassThrough) => void stream.write(encodeFrame(99))],
  ['it asks twice', (stream: PassThrough) => void stream.write(request)],
])('knows that the client is gone when %s', async (_, leave) => {
  const stream = new PassThrough();
  stream.write(request);
  const client = await meetClient(stream);
  client.follow(target(new PassThrough()));
  leave(stream);
  await expect(client.gone).resolves.toBeUndefined();
});
