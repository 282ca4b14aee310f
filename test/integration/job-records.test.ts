/** Records of jobs on their way to a real file, by the real appender: many at once, rotation, a cut line, links of others. */
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, it } from 'vitest';

const appender = path.resolve(import.meta.dirname, '../../share/append-record');

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'hpcdj-records-'));
  file = `${directory}/records/c1.jsonl`;
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

async function append(record: string, keepBytes = 2 ** 20): Promise<number | undefined> {
  const { exitCode } = await execa('/bin/sh', [appender, file, String(keepBytes)], {
    input: `${record}\n`,
    reject: false,
  });
  return exitCode;
}

const linesOf = async (name: string): Promise<string[]> => (await readFile(name, 'utf8')).trim().split('\n');

it('keeps every line whole of many that come at once, in a file that only root reads', async () => {
  const records = Array.from({ length: 20 }, (_, index) => JSON.stringify({ index, text: 'x'.repeat(5000) }));
  await Promise.all(records.map(async (record) => await append(record)));
  expect((await linesOf(file)).toSorted()).toEqual(records.toSorted());
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

it('goes on in a new file, and keeps no more than two', async () => {
  for (let index = 0; index < 12; index += 1) await append(`{"index":${index},"text":"${'x'.repeat(90)}"}`, 600);
  const kept = [...(await linesOf(`${file}.1`)), ...(await linesOf(file))].map(
    (line) => (JSON.parse(line) as { readonly index: number }).index,
  );
  expect(kept.at(-1)).toBe(11);
  expect(kept).toEqual(kept.toSorted((one, other) => one - other));
  expect(kept.length).toBeLessThan(9);
});

it('ends a line that was cut short before it begins its own', async () => {
  await mkdir(path.dirname(file), { mode: 0o700 });
  await writeFile(file, '{"job":"1"}\n{"job":"2", "us');
  await append('{"job":"3"}');
  expect(await linesOf(file)).toEqual(['{"job":"1"}', '{"job":"2", "us', '{"job":"3"}']);
});

it.each([0o777, 0o770, 0o707, 0o1777])('writes nothing into a directory of mode %o', async (mode) => {
  await mkdir(path.dirname(file));
  await chmod(path.dirname(file), mode);
  await symlink(`${directory}/victim`, file);
  expect(await append('{}')).toBe(1);
  await expect(stat(`${directory}/victim`)).rejects.toThrow('ENOENT');
});
