import type { Finding } from '../../contract/finding.ts';
import { renderFinding, statusOfFindings } from '../../contract/finding.ts';

/** One line for each check: verdict, check, what and why, what to do, and the stable name of a failure. */
export function renderFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.map(
    (finding) => `${finding.verdict.padEnd(4)}  ${finding.check.padEnd(width)}  ${renderFinding(finding)}`,
  );
  return `${[...lines, summarise(findings)].join('\n')}\n`;
}

/** The same as one JSON object. */
export function findingsJson(host: string, findings: readonly Finding[]): string {
  return JSON.stringify({ host, exitStatus: statusOfFindings(findings), checks: findings });
}

function summarise(findings: readonly Finding[]): string {
  const count = (verdict: Finding['verdict']): number => findings.filter((each) => each.verdict === verdict).length;
  return `${count('ok')} ok, ${count('warn')} warnings, ${count('fail')} failed, ${count('skip')} not looked at`;
}
