import { describe, expect, it } from 'vitest';
import type { AuditFacts } from '../../../../src/helper/audit/audit-events.ts';
import { maxRecordBytes, writeRecord } from '../../../../src/helper/audit/write-record.ts';

const base = {
  time: '2026-11-28T12:00:00.000Z',
  host: 'node1',
  pid: 7,
  event: 'call',
  uid: 2001,
  verb: 'open-job',
  job: '772',
} as const;

describe('a record', () => {
  it.each([
    ['a forged line', 'x","uid":0,"msg":"job-opened'],
    ['line ends', 'a\nb\r\nc'],
    ['separators of lines and paragraphs', 'a\u2028b\u2029c'],
    ['NEL, and other C1 controls', 'a\u0085b\u009bc'],
    ['escapes of a terminal', '\u001b[2J\u0007\u007f'],
    ['NUL', 'a\u0000b'],
    ['a lone surrogate', 'a\ud800b'],
    ['other scripts', 'größe, 模型 and 🦊'],
    ['backslashes', String.raw`\u0022,\"uid\":0`],
    ['marks that turn the direction of text', 'a\u202eb\u2066c'],
  ])('with %s is one line of printable ASCII that says the same', (_, text) => {
    const line = writeRecord(base, { image: text, list: [text] });
    expect(line).toMatch(/^[\u0020-\u007e]+$/);
    expect(JSON.parse(line)).toEqual({ ...base, image: text, list: [text] });
  });

  it.each([
    ['a huge text', { text: 'x'.repeat(1_000_000) }],
    ['a huge text of what grows when escaped', { text: '\u2028'.repeat(1_000_000), more: '🦊'.repeat(100_000) }],
    ['a huge list', { list: Array.from({ length: 100_000 }, (_, n) => `node${n}`) }],
    ['many facts', Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`fact${n}`, '\u0001'.repeat(300)]))],
    ['a huge name', { ['n'.repeat(10_000)]: 'x' }],
  ] as readonly (readonly [string, AuditFacts])[])(
    'with %s stays bounded, whole, and says that it was cut',
    (_, facts) => {
      const line = writeRecord(base, facts);
      expect(line.length).toBeLessThanOrEqual(maxRecordBytes);
      expect(JSON.parse(line)).toMatchObject(base);
      if (facts['fact0'] !== undefined) expect(line).toContain('"cut":true');
    },
  );

  it.each(['time', 'host', 'pid', 'event', 'uid', 'verb'])('has its own %s, whatever the facts say', (name) => {
    const facts = { [name]: 'forged' } as unknown as AuditFacts;
    expect(JSON.parse(writeRecord(base, facts))).toEqual(base);
  });

  it('is of the job that the facts name, else of the call’s', () => {
    expect(JSON.parse(writeRecord(base, { job: '9' }))).toMatchObject({ job: '9' });
    expect(JSON.parse(writeRecord(base, {}))).toMatchObject({ job: '772' });
  });

  it('of a call with a huge word for a job is bounded as well', () => {
    const line = writeRecord({ ...base, verb: '\u0000'.repeat(5000), job: '🦊'.repeat(5000) }, {});
    expect(line.length).toBeLessThanOrEqual(maxRecordBytes);
    expect(JSON.parse(line)).toMatchObject({ uid: 2001, event: 'call' });
  });
});
