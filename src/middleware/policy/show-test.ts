import { oneLine } from '../../values/one-line.ts';
import type { Verdict } from './judge-case.ts';
import type { PolicyTest, TestedCase } from './test-policy.ts';

/** What `policy test` prints for people: a line for each case, more for one that does not hold, and the sum. */
export function renderTest({ sitePath, tested }: PolicyTest): string {
  const failed = tested.filter(({ holds }) => !holds).length;
  const sum =
    failed === 0
      ? `all ${tested.length} cases hold for ${sitePath}`
      : `${failed} of ${tested.length} cases do not hold for ${sitePath}`;
  return [...tested.flatMap(renderCase), sum, ''].join('\n');
}

function renderCase({ expected: { name, expect, rule }, verdict, holds }: TestedCase): readonly string[] {
  if (holds) return [`ok    ${name}: ${verdict.verdict} by ${ruleOf(verdict)}`];
  const wanted = `${expect}${rule === undefined ? '' : ` by ${rule}`}`;
  const got = `${verdict.verdict} by ${ruleOf(verdict)}`;
  return [
    `FAIL  ${name}`,
    `      expected: ${wanted}`,
    `      but it is ${got}`,
    ...(verdict.verdict === 'refused' ? [`      ${oneLine(verdict.error.message, 1000)}`] : []),
  ];
}

function ruleOf(verdict: Verdict): string {
  if (verdict.verdict === 'allowed') return verdict.rules[0] ?? 'no rule';
  const { code, rule } = verdict.error;
  return rule === undefined ? code : `${rule} (${code})`;
}

/** The object of `policy test --json`, on one line. */
export function testJson({ sitePath, tested }: PolicyTest): string {
  const failed = tested.filter(({ holds }) => !holds).length;
  return JSON.stringify({
    site: sitePath,
    holds: failed === 0,
    passed: tested.length - failed,
    failed,
    cases: tested.map(({ expected, verdict, holds }) => ({
      name: expected.name,
      holds,
      expected: { verdict: expected.expect, rule: expected.rule ?? null },
      ...(verdict.verdict === 'allowed'
        ? { verdict: 'allowed', rule: verdict.rules[0] ?? null, rules: verdict.rules }
        : {
            verdict: 'refused',
            rule: verdict.error.rule ?? null,
            code: verdict.error.code,
            reason: verdict.error.message,
          }),
    })),
  });
}
