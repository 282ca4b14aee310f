import { defaultSitePath, loadSite } from '../../config/load-site.ts';
import { isErrorCode } from '../../values/errors.ts';
import type { PolicyCase } from './case-schema.ts';
import { hostUserDatabase, judgeCase } from './judge-case.ts';
import type { UserDatabase, Verdict } from './judge-case.ts';
import { readCases } from './read-cases.ts';

/** A case with what became of it. */
export interface TestedCase {
  readonly expected: Pick<PolicyCase, 'name' | 'expect' | 'rule'>;
  readonly verdict: Verdict;
  readonly holds: boolean;
}

export interface PolicyTest {
  readonly sitePath: string;
  readonly tested: readonly TestedCase[];
}

/**
 * Judges every case of the file by a policy. Fails with `USAGE` or `REQUEST_INVALID` for a file that holds no cases, with
 * `CONFIG_INVALID` for a wrong policy.
 */
export async function testPolicy(
  casesPath: string,
  sitePath = defaultSitePath,
  database: UserDatabase = hostUserDatabase(),
): Promise<PolicyTest> {
  const cases = await readCases(casesPath);
  const site = await loadSite(sitePath, { mustBeTrusted: false });
  const tested: TestedCase[] = [];
  for (const each of cases) {
    const verdict = await judgeCase(site, each, database);
    tested.push({ expected: each, verdict, holds: isAsExpected(each, verdict) });
  }
  return { sitePath, tested };
}

/**
 * True when the case came out as expected. A user whom nobody knows makes no case hold by accident: that must be what
 * the case expects by name.
 */
export function isAsExpected({ expect, rule }: Pick<PolicyCase, 'expect' | 'rule'>, verdict: Verdict): boolean {
  if (verdict.verdict !== expect) return false;
  if (verdict.verdict === 'allowed') return rule === undefined || verdict.rules.some((each) => isRule(each, rule));
  const { code, rule: deciding = '' } = verdict.error;
  if (rule === undefined) return code !== 'HOST_UNFIT';
  return isErrorCode(rule) ? code === rule : isRule(deciding, rule);
}

/** The rule itself, or the section or entry of site.yaml in which it stands: `images.allowed` for `images.allowed "lab/*"`. */
function isRule(deciding: string, named: string): boolean {
  return named !== '' && (deciding === named || deciding.startsWith(`${named}.`) || deciding.startsWith(`${named} `));
}
