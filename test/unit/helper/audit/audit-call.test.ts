import { describe, expect, it } from 'vitest';
import { JobError } from '../../../../src/values/errors.ts';
import type { ErrorCode } from '../../../../src/values/errors.ts';
import { keepAudit } from '../../../support/fake-audit.ts';

type Act = (audit: ReturnType<typeof keepAudit>) => void;

function recordsOf(act: Act): readonly Record<string, unknown>[] {
  const lines: string[] = [];
  act(keepAudit(lines));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}
const failure = (code: ErrorCode): JobError => new JobError({ code, message: 'why' });
const short = { status: 0, error: undefined, isLong: false };

describe('a call', () => {
  it('that is allowed has its decision before whatever it does, and no second word when it is short', () => {
    const records = recordsOf((audit) => {
      audit.allow('owner', { action: 'stop' });
      audit.record('job-controlled', { job: '7' });
      audit.allow('root');
      audit.end(short);
    });
    expect(records).toEqual([
      expect.objectContaining({
        event: 'call',
        verdict: 'allowed',
        rule: 'owner',
        action: 'stop',
        uid: 0,
        verb: 'test',
      }),
      expect.objectContaining({ event: 'job-controlled', job: '7', uid: 0 }),
    ]);
  });

  it.each([
    ['JOB_NOT_YOURS', 'refused'],
    ['NOT_PERMITTED', 'refused'],
    ['IMAGE_NOT_ALLOWED', 'refused'],
    ['USAGE', 'refused'],
    ['REQUEST_INVALID', 'refused'],
    ['STORE_UNREACHABLE', 'failed'],
    ['CONFIG_INVALID', 'failed'],
    ['JOB_BUSY', 'failed'],
    ['BUG', 'failed'],
  ] as const)('that ends with %s before it was allowed is %s, in one record', (code, verdict) => {
    for (const isLong of [true, false]) {
      const records = recordsOf((audit) => audit.end({ status: 1, error: failure(code), isLong }));
      expect(records).toEqual([expect.objectContaining({ event: 'call', verdict, code, message: 'why' })]);
    }
  });

  it('that fails after it was allowed says so in a second record', () => {
    const records = recordsOf((audit) => {
      audit.allow('owner');
      audit.end({ ...short, error: failure('NODE_LATE') });
    });
    expect(records.map(({ event, verdict, code }) => [event, verdict, code])).toEqual([
      ['call', 'allowed', undefined],
      ['call-ended', 'failed', 'NODE_LATE'],
    ]);
  });

  it('that lasts as long as a job has a second record of its end', () => {
    for (const [status, verdict] of [
      [0, 'done'],
      [75, 'failed'],
    ] as const) {
      const records = recordsOf((audit) => {
        audit.about('772');
        audit.allow('owner-and-policy');
        audit.end({ status, error: undefined, isLong: true });
      });
      expect(records.at(-1)).toMatchObject({ event: 'call-ended', verdict, status, job: '772' });
    }
  });

  it('that had nothing to change is on record all the same', () => {
    expect(recordsOf((audit) => audit.end(short))).toEqual([
      expect.objectContaining({ event: 'call', verdict: 'allowed', rule: 'nothing-there' }),
    ]);
  });
});

describe('a site that demands records', () => {
  it('starts no job while they cannot be written', async () => {
    const audit = keepAudit([], { problem: 'No space left on device' });
    await expect(audit.requireWritable()).rejects.toMatchObject({ code: 'AUDIT_UNWRITABLE', exitStatus: 69 });
    await keepAudit([]).requireWritable();
  });
});
