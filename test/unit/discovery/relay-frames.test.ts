import { describe, expect, test } from 'vitest';
import { frameType } from '../../../src/discovery/relay/relay-frames.ts';
import { FrameReader, encodeFrame, maxFrameBytes } from '../../../src/system/frames.ts';

describe('relay frames', () => {
  const frames = [
    encodeFrame(frameType.open, 'héllo'),
    encodeFrame(frameType.inputEnd),
    encodeFrame(frameType.exit, Uint8Array.of(7)),
  ];
  const expected = [
    { type: frameType.open, content: Buffer.from('héllo') },
    { type: frameType.inputEnd, content: Buffer.alloc(0) },
    { type: frameType.exit, content: Buffer.of(7) },
  ];

  test.each([1, 2, 5, 7, 1000])('are read whole from pieces of %i bytes', (size) => {
    const bytes = Buffer.concat(frames);
    const reader = new FrameReader();
    const read = [];
    for (let at = 0; at < bytes.length; at += size) read.push(...reader.read(bytes.subarray(at, at + size)));
    expect(read).toEqual(expected);
  });

  test('are refused when they are longer than any of ours', () => {
    const header = Buffer.alloc(5);
    header.writeUInt32BE(maxFrameBytes + 1, 1);
    expect(() => new FrameReader().read(header)).toThrow(RangeError);
  });
});
