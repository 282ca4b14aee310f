/**
 * The words of a shell line that is one command of plain words, quoted or not; undefined for all that a shell would have
 * to expand, redirect or run as well.
 */
export function splitSimpleCommand(line: string): readonly string[] | undefined {
  const words: string[] = [];
  const rest = line.trim();
  let at = 0;
  while (at < rest.length) {
    word.lastIndex = at;
    const [whole = '', , after] = word.exec(rest) ?? [];
    if (whole === '' || after === undefined) return undefined;
    words.push(unquote(whole.slice(0, whole.length - after.length)));
    at += whole.length;
  }
  return words;
}

/** One word of plain letters, '…', "…" without $, ` or \, and \X; then blanks, or the end. */
const word = /((?:[^\s'"\\$`;&|<>(){}[\]*?!#~]|'[^']*'|"[^"$`\\]*"|\\[^\n])+)([ \t]+|$)/y;

function unquote(text: string): string {
  return text.replaceAll(/'([^']*)'|"([^"]*)"|\\(.)/gs, (_, single?: string, double?: string, escaped?: string) => {
    return single ?? double ?? escaped ?? '';
  });
}
