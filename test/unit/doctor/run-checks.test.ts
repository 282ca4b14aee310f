import { describe, expect, it } from 'vitest';
import { JobError } from '../../../src/values/errors.ts';
import type { Check, Finding } from '../../../src/contract/finding.ts';
import { fine, skipped, statusOfFindings, warning } from '../../../src/contract/finding.ts';
import { runChecks } from '../../../src/system/run-checks.ts';

const never = (): Promise<never> => new Promise(() => undefined);
const failing = (code: 'CONFIG_INVALID' | 'HOST_UNFIT'): Check => ({
  name: code,
  look: () => {
    throw new JobError({ code, message: 'It is broken.', hint: 'Mend it.' });
  },
});

describe('runChecks', () => {
  it('gives one finding for each check, in their order, whatever each of them does', async () => {
    const findings = await runChecks(
      [
        { name: 'good', look: () => Promise.resolve(fine('all well')) },
        failing('HOST_UNFIT'),
        {
          name: 'bug',
          look: () => {
            throw new TypeError('x is not a function');
          },
        },
        { name: 'late', look: never },
        { name: 'last', look: () => warning('could be better', 'Do this.') },
      ],
      50,
    );
    expect(findings).toEqual([
      { check: 'good', verdict: 'ok', message: 'all well' },
      { check: 'HOST_UNFIT', verdict: 'fail', code: 'HOST_UNFIT', message: 'It is broken.', hint: 'Mend it.' },
      expect.objectContaining({ check: 'bug', verdict: 'fail', code: 'BUG' }),
      expect.objectContaining({ check: 'late', verdict: 'fail', message: 'The check late did not end within 0.05 s.' }),
      { check: 'last', verdict: 'warn', message: 'could be better', hint: 'Do this.' },
    ]);
  });

  it('runs them side by side', async () => {
    const startedAt = performance.now();
    await runChecks(
      Array.from({ length: 20 }, (_, index) => ({ name: String(index), look: never })),
      200,
    );
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });
});

describe('statusOfFindings', () => {
  const found = (verdict: Finding['verdict'], code?: string): Finding => ({
    check: 'x',
    message: '',
    verdict,
    ...(code === undefined ? {} : { code }),
  });

  it.each([
    ['nothing failed', [found('ok'), found('warn'), found('skip')], 0],
    ['the store is away', [found('ok'), found('fail', 'STORE_UNREACHABLE')], 69],
    ['an image is missing', [found('fail', 'IMAGE_NOT_PRESENT')], 65],
    ['rights are wrong', [found('fail', 'HOST_UNFIT'), found('fail', 'NOT_PERMITTED')], 77],
    ['the policy is wrong, whatever else is', [found('fail', 'NOT_PERMITTED'), found('fail', 'CONFIG_INVALID')], 78],
    ['a code of another version', [found('fail', 'SOMETHING_NEW')], 70],
    ['a failure without a code', [found('fail')], 70],
  ])('is right when %s', (_, findings, status) => {
    expect(statusOfFindings(findings)).toBe(status);
  });

  it('does not count what could not be looked at', async () => {
    expect(statusOfFindings(await runChecks([{ name: 'x', look: () => skipped('run as root') }], 50))).toBe(0);
  });
});
