/** A fault that the parser of the command line found, as every other error is told: one line with a stable name. */
export function usageLine(program: string, parserText: string): string {
  const fault = parserText
    .replace(/^error: /, '')
    .trim()
    .replaceAll('\n', ' ');
  const sentence = /[.)]$/.test(fault) ? fault : `${fault}.`;
  return `${program}: ${sentence} See ${program} --help. [USAGE]\n`;
}
