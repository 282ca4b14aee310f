import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { toJsonLine } from '../../../src/values/json-line.ts';

it('is one line to whoever reads lines, whatever the text', async () => {
  const value = { text: 'a\u2028b\u2029c\nd\re\u0085f' };
  const lines: string[] = [];
  for await (const line of createInterface({ input: Readable.from([toJsonLine(value)]), crlfDelay: Infinity }))
    lines.push(line);
  expect(lines.map((line): unknown => JSON.parse(line))).toEqual([value]);
});
