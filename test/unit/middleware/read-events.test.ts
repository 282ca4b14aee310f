import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { readEvents } from '../../../src/middleware/call-helper.ts';
import type { HelperEvent } from '../../../src/contract/helper-events.ts';

const note = JSON.stringify({ event: 'note', message: 'a word' });

/** What a helper's events come to that prints these lines and ends so. */
async function readAll(
  lines: readonly string[],
  exitCode = 0,
  signal?: string,
): Promise<{ events: HelperEvent[]; error: unknown }> {
  const child = { stdout: Readable.from(lines.map((line) => `${line}\n`)) };
  const ended = Promise.resolve({ stderr: '', exitCode, signal });
  const events: HelperEvent[] = [];
  const read = async (): Promise<void> => {
    for await (const event of readEvents({ ...child, then: ended.then.bind(ended) })) events.push(event);
  };
  return { events, error: await read().catch((error: unknown) => error) };
}

it.each([
  ['an event that nobody knows', ['{"event":"odd"}'], 'HELPER_UNAVAILABLE', 'it said "{"event":"odd"}"'],
  ['no word at all', [], 'HELPER_UNAVAILABLE', 'it ended with status 3'],
  ['an event that nobody knows, in the middle of a job', [note, 'hello'], 'HELPER_LOST', 'it said "hello"'],
  ['no last word', [note], 'HELPER_LOST', 'it ended with status 3'],
])('%s is a failure', async (_, lines, code, words) => {
  const { error } = await readAll(lines, 3);
  expect(error).toMatchObject({ code, message: expect.stringContaining(words) as string });
});

it.each([
  ['by a signal', 0, 'SIGKILL'],
  ['by a status that stands for one', 137, undefined],
])('that is killed before its first word (%s) is no fault of the host', async (_, exitCode, signal) => {
  const { error } = await readAll([], exitCode, signal);
  expect(error).toMatchObject({ code: 'HELPER_LOST', message: expect.stringContaining('killed (SIGKILL)') as string });
  expect(String((error as { hint?: string }).hint)).not.toContain('hpc-dockerjob-setup');
});
