import { describe, expect, it } from 'vitest';
import { toReadable } from '../../../src/middleware/open-verbose.ts';
import { openLog, secretNames } from '../../../src/system/log.ts';
import type { LogFacts, LogLevel } from '../../../src/system/log.ts';

async function logged(facts: LogFacts, level: LogLevel = 'debug'): Promise<readonly string[]> {
  const lines: string[] = [];
  const log = await openLog('program', level, (line) => void lines.push(line));
  log.info('call-over', facts);
  log.debug('call-begun', facts);
  return lines;
}

describe('a log', () => {
  it('says what its level lets through, and nothing when it is off', async () => {
    const events = async (level: LogLevel): Promise<unknown> =>
      (await logged({ job: '7' }, level)).map((line) => (JSON.parse(line) as { event: unknown }).event);
    expect(await events('debug')).toEqual(['call-over', 'call-begun']);
    expect(await events('info')).toEqual(['call-over']);
    expect(await events('off')).toEqual([]);
  });

  it.each(
    secretNames.flatMap(
      (name) =>
        [
          [name, { [name]: 'S3cret' }],
          [name, { a: [{ [name.toUpperCase()]: ['S3cret'] }] }],
          [name, { a: { b: { [name]: { c: 'S3cret' } } } }],
        ] as const,
    ),
  )('shows nothing of a fact that is called %s: %j', async (_, facts) => {
    const text = (await logged({ ...facts, job: '7' })).join('\n');
    expect(text).not.toContain('S3cret');
    expect(text).toContain('"job":"7"');
  });

  it('shows nothing of what lies deeper than secrets are looked for', async () => {
    expect((await logged({ a: { b: { c: { d: { e: { f: { password: 'S3cret' } } } } } } })).join()).not.toContain(
      'S3cret',
    );
  });

  it('tells a failure with its causes and where they lie', async () => {
    const lines: string[] = [];
    const log = await openLog('program', 'info', (line) => void lines.push(line));
    log.failed(new Error('outer', { cause: new Error('inner') }));
    expect(lines.join()).toMatch(/outer.*log\.test\.ts.*inner/);
  });

  it('is one line for each event, whatever the facts hold', async () => {
    const lines = await logged({ text: 'a\nb\u2028c\u001b[2J' });
    expect(lines.every((line) => !line.includes('\n'))).toBe(true);
    expect(lines.map(toReadable).every((line) => /^[^\p{Cc}\u2028]*\n$/u.test(line))).toBe(true);
    expect(toReadable(lines[0]!)).toMatch(/^program: debug \d\d:\d\d:\d\d\.\d{3} call-over text=/);
  });
});
