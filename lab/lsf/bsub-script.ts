/** Scripts that bsub reads from its standard input. Pure. */

/** The words of all `#BSUB` lines, quotes removed as a shell would. */
export function readDirectives(script: string): string[] {
  return script
    .split('\n')
    .flatMap((line) => /^\s*#BSUB\s+(.*)$/.exec(line)?.[1] ?? [])
    .flatMap(splitWords);
}

/** Words at blanks; double and single quotes keep blanks together, a `#` between words begins a comment. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  for (const [word] of text.matchAll(/(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+/g)) {
    if (word.startsWith('#')) break;
    words.push(unquote(word));
  }
  return words;
}

function unquote(word: string): string {
  return word.replace(
    /"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/g,
    (_, double?: string, single?: string, escaped?: string) =>
      double === undefined ? (single ?? escaped ?? '') : double.replace(/\\(["\\$`])/g, '$1'),
  );
}

/** A script as one line, as job lists and esubs see it. */
export function joinScript(script: string): string {
  return script
    .split('\n')
    .filter((line) => line.trim() !== '')
    .join(';');
}
