/** The table of a run. Pure. */
export interface Verdict {
  readonly machine: string;
  readonly name: string;
  readonly isGreen: boolean;
  readonly seconds: number;
  /** Why it is red; a remark on a green one. */
  readonly reason: string;
}

/** The verdicts as a table of Markdown, a row each, and a last line that counts them. */
export function renderVerdicts(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ machine, name, isGreen, seconds, reason }) =>
    [machine, name, isGreen ? 'green' : 'RED', seconds.toFixed(0), oneCell(reason)].join(' | '),
  );
  const red = verdicts.filter(({ isGreen }) => !isGreen).length;
  const table = ['machine | case | verdict | seconds | reason', '--- | --- | --- | ---: | ---', ...rows];
  return `${table.map((row) => `| ${row} |`).join('\n')}\n\n${verdicts.length - red} green, ${red} red\n`;
}

function oneCell(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll('|', '/').trim().slice(0, 700);
}
