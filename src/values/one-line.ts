/**
 * Words of another program, a user or a container as part of a line of ours: no line break, and nothing that steers a
 * terminal or turns the direction of the text. The first `most` characters count; none is cut in two.
 */
export function oneLine(text: string, most: number): string {
  return visible(text)
    .slice(0, most)
    .replace(/[\ud800-\udbff]$/, '')
    .trimEnd();
}

/** The same of a long text of which the end says why. */
export function endInOneLine(text: string, most: number): string {
  return visible(text)
    .slice(-most)
    .replace(/^[\udc00-\udfff]/, '')
    .trimStart();
}

const mostOfWord = 200;

/**
 * A word that a user has given, as part of a line: as it is where it shows whole, else in quotes, which show that it is
 * empty, or where its blanks are.
 */
export function showWord(text: string): string {
  return text !== '' && oneLine(text, mostOfWord) === text && !/\s/.test(text) ? text : quoteWord(text);
}

/** The same, in quotes in any case. */
export function quoteWord(text: string, most = mostOfWord): string {
  return JSON.stringify(
    text
      .slice(0, most)
      .replace(/[\ud800-\udbff]$/, '')
      .replaceAll(/(?![ \t\n\r])\p{C}+/gu, ' '),
  );
}

function visible(text: string): string {
  return text.replaceAll(/[\p{C}\s]+/gu, ' ').trim();
}
