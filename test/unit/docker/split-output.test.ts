import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { splitOutput } from '../../../src/docker/split-output.ts';

function frame(stream: number, payload: string): Buffer {
  const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(Buffer.byteLength(payload), 4);
  return Buffer.concat([header, Buffer.from(payload)]);
}

const wire = Buffer.concat([
  frame(1, 'one '),
  frame(2, 'bad '),
  frame(1, ''),
  frame(1, 'two'),
  frame(2, 'worse'),
  frame(3, '!'),
]);

test.each([1, 2, 3, 7, 8, 9, 100])('separates the streams when they come in pieces of %i bytes', async (size) => {
  const pieces = Array.from({ length: Math.ceil(wire.length / size) }, (_, i) =>
    wire.subarray(i * size, (i + 1) * size),
  );
  const { stdout, stderr } = splitOutput(Readable.from(pieces, { objectMode: false }));
  expect(await Promise.all([text(stdout), text(stderr)])).toEqual(['one two', 'bad worse!']);
});

test.each([
  ['inside a header', wire.subarray(0, 4)],
  ['inside a frame', wire.subarray(0, 10)],
])('fails when the connection breaks %s', async (_, cut) => {
  const { stdout, stderr } = splitOutput(Readable.from([cut], { objectMode: false }));
  const failed = { code: 'ENGINE_UNREACHABLE' };
  await Promise.all([
    expect(text(stdout)).rejects.toMatchObject(failed),
    expect(text(stderr)).rejects.toMatchObject(failed),
  ]);
});

test('fails on a stream that it does not know', async () => {
  const { stdout, stderr } = splitOutput(Readable.from([frame(9, 'x')], { objectMode: false }));
  await Promise.all([expect(text(stdout)).rejects.toThrow('unknown stream 9'), expect(text(stderr)).rejects.toThrow()]);
});

test('goes on with the next source when one breaks inside a frame, and drops the broken frame', async () => {
  const sources = [Readable.from([frame(1, 'after'), frame(2, 'wards')], { objectMode: false }), undefined];
  const first = Readable.from([frame(1, 'before '), frame(1, 'lost').subarray(0, 9)], { objectMode: false });
  const { stdout, stderr } = splitOutput(first, () => Promise.resolve(sources.shift()));
  expect(await Promise.all([text(stdout), text(stderr)])).toEqual(['before lafter', 'wards']);
});

test('takes no more from the engine than a reader that stands still has room for', async () => {
  const source = new PassThrough();
  const { stdout, stderr } = splitOutput(source);
  let sent = 0;
  const block = frame(1, 'x'.repeat(65_536));
  while (sent < 1000 && (await room(source))) {
    source.write(block);
    sent += 1;
  }
  expect(sent).toBeLessThan(20);
  source.end();
  expect((await text(stdout)).length).toBe(sent * 65_536);
  expect(await text(stderr)).toBe('');
});

/** True when the stream drains within a moment. */
async function room(stream: PassThrough): Promise<boolean> {
  if (!stream.writableNeedDrain) return true;
  return await new Promise((resolve) => {
    setTimeout(() => resolve(false), 50);
    stream.once('drain', () => resolve(true));
  });
}
